// The follower's side: entries and snapshots of the leader.
#include <algorithm>
#include <cassert>
#include <memory>
#include <utility>

#include "cluster/raft/checksum.h"
#include "cluster/raft/raft.h"

namespace failsim::raft {

void Raft::hear_leader(Time now, NodeId from, Output& out) {
  assert(!leads());
  assert(leader() == kNoNode || leader() == from);
  become_follower(now, term(), from, out);
}

// What is acknowledged, and what may be committed, is what this very message proves: the entry
// before it and its own entries. The end of the log may still hold another leader's.
void Raft::receive_append(Time now, NodeId from, const pb::RaftMessage::Append& append,
                          Output& out) {
  hear_leader(now, from, out);
  if (!matches(append.previous_index(), append.previous_term())) {
    return refuse_append(from, append, out);
  }
  if (!fits_chain(append)) {
    ++bad_appends_;
    return;
  }
  store_entries(append, out);
  const Index match = append.previous_index() + static_cast<Index>(append.entries_size());
  const Index proven =
      config_.mistakes.has(Mistake::kCommitBeyondMatch) ? log_.last_index() : match;
  commit_to(std::min<Index>(append.commit_index(), proven), out);
  pb::RaftMessage reply = envelope();
  reply.mutable_append_reply()->set_success(true);
  reply.mutable_append_reply()->set_match_index(
      config_.mistakes.has(Mistake::kAcknowledgeOwnEnd) ? log_.last_index() : match);
  reply.mutable_append_reply()->set_round(append.round());
  const bool waits = !config_.mistakes.has(Mistake::kAcknowledgeBeforeSync);
  (waits ? out.after : out.send_now).push_back({from, std::move(reply)});
}

void Raft::refuse_append(NodeId from, const pb::RaftMessage::Append& append, Output& out) {
  pb::RaftMessage message = envelope();
  pb::RaftMessage::AppendReply& reply = *message.mutable_append_reply();
  reply.set_success(false);
  reply.set_round(append.round());
  if (append.previous_index() > log_.last_index()) {
    reply.set_conflict_index(log_.last_index() + 1);
  } else {
    reply.set_conflict_term(log_.term_at(append.previous_index()));
    reply.set_conflict_index(log_.first_of_term(reply.conflict_term()));
  }
  out.after.push_back({from, std::move(message)});
}

// Committed entries are the same everywhere, compacted or not.
bool Raft::matches(Index previous_index, Term previous_term) const {
  if (previous_index <= commit_index_) return true;
  return log_.knows(previous_index) && log_.term_at(previous_index) == previous_term;
}

bool Raft::fits_chain(const pb::RaftMessage::Append& append) const {
  Index index = append.previous_index();
  std::uint32_t previous = log_.knows(index) ? log_.checksum_at(index) : log_.start().checksum();
  for (const pb::LogEntry& entry : append.entries()) {
    if (entry.index() != ++index || entry.term() > term()) return false;
    if (index <= log_.start().index()) continue;
    if (entry.checksum() != chain_checksum(previous, entry)) return false;
    const bool stored = index <= log_.last_index() && log_.term_at(index) == entry.term();
    if (stored && log_.checksum_at(index) != entry.checksum()) return false;
    previous = entry.checksum();
  }
  return true;
}

void Raft::store_entries(const pb::RaftMessage::Append& append, Output& out) {
  bool changed = false;
  for (const pb::LogEntry& entry : append.entries()) {
    if (entry.index() <= log_.start().index()) continue;
    if (entry.index() <= log_.last_index()) {
      if (log_.term_at(entry.index()) == entry.term()) continue;
      truncate_from(entry.index(), out);
    }
    auto stored = std::make_shared<const pb::LogEntry>(entry);
    log_.append(stored);
    out.durable.append.push_back(std::move(stored));
    changed = true;
  }
  if (changed) note_durable(out);
}

// Also out of the batch being filled: it truncates before it appends.
void Raft::truncate_from(Index index, Output& out) {
  assert(index > commit_index_);
  log_.truncate_from(index);
  persistence_.truncate_from(index);
  DurableBatch& batch = out.durable;
  std::erase_if(batch.append, [&](const EntryPtr& entry) { return entry->index() >= index; });
  batch.truncate_from = batch.truncate_from == 0 ? index : std::min(batch.truncate_from, index);
}

void Raft::receive_snapshot(Time now, NodeId from, const pb::RaftMessage::Snapshot& message,
                            Output& out) {
  hear_leader(now, from, out);
  if (!contains_snapshot(message)) {
    auto complete = assembly_.add(term(), message);
    if (complete.has_value()) install(std::move(*complete), out);
  }
  const bool installed = contains_snapshot(message);
  if (installed) commit_to(std::max<Index>(commit_index_, message.last_index()), out);
  pb::RaftMessage reply = envelope();
  reply.mutable_snapshot_reply()->set_last_index(message.last_index());
  reply.mutable_snapshot_reply()->set_next_chunk(assembly_.next_chunk(term(), message));
  reply.mutable_snapshot_reply()->set_installed(installed);
  reply.mutable_snapshot_reply()->set_round(message.round());
  out.after.push_back({from, std::move(reply)});
}

// Whoever has the snapshot's last entry has all it stands for, and must not throw away
// acknowledged entries after it.
bool Raft::contains_snapshot(const pb::RaftMessage::Snapshot& message) const {
  if (message.last_index() <= commit_index_) return true;
  return log_.knows(message.last_index()) &&
         log_.term_at(message.last_index()) == message.last_term();
}

void Raft::install(InstalledSnapshot snapshot, Output& out) {
  assert(snapshot.position.index() > commit_index_);
  truncate_from(commit_index_ + 1, out);
  log_.reset(snapshot.position);
  commit_index_ = snapshot.position.index();
  out.committed.clear();
  out.durable.log_start = snapshot.position;
  out.snapshot = std::move(snapshot);
  note_durable(out);
}

}  // namespace failsim::raft
