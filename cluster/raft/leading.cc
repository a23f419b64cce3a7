// The leader's side: feeding followers, counting what they have stored, proving leadership.
#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "cluster/raft/raft.h"

namespace failsim::raft {

void Raft::tick_leader(Time now, Output& out) {
  if (!has_quorum(now)) return become_follower(now, term(), kNoNode, out);
  auto& leader = std::get<Leader>(state_);
  if (leader.heartbeat_at <= now) send_heartbeats(now, out);
  for (auto& [node, progress] : leader.followers) resend_chunk(now, node, progress, out);
}

Time Raft::quorum_heard_at() const {
  std::vector<Time> heard = {kNever};  // the leader itself
  for (const auto& [node, progress] : std::get<Leader>(state_).followers) {
    heard.push_back(progress.heard_at);
  }
  return voters_.reached_by_quorum(std::move(heard));
}

Time Raft::leader_deadline() const {
  const auto& leader = std::get<Leader>(state_);
  if (leader.followers.empty()) return kNever;
  Time deadline = std::min(leader.heartbeat_at, quorum_heard_at() + config_.election_timeout);
  for (const auto& [node, progress] : leader.followers) {
    const auto* restoring = std::get_if<Restoring>(&progress.state);
    if (restoring != nullptr) deadline = std::min(deadline, restoring->resend_at);
  }
  return deadline;
}

void Raft::append_own(std::string command, Output& out) {
  out.durable.append.push_back(log_.append(term(), std::move(command)));
  note_durable(out);
}

void Raft::send_heartbeats(Time now, Output& out) {
  auto& leader = std::get<Leader>(state_);
  leader.heartbeat_at = now + config_.heartbeat_interval;
  for (auto& [node, progress] : leader.followers) send_heartbeat(now, node, progress, out);
}

// While replicating, an empty append at the optimistic end finds out whether something was lost;
// while probing, it repeats the question; while restoring, it matches anything.
void Raft::send_heartbeat(Time now, NodeId to, Progress& progress, Output& out) {
  const bool restoring = std::holds_alternative<Restoring>(progress.state);
  if (!restoring && !can_reach(progress)) {
    restore(now, progress, out);
  } else if (restoring) {
    want_snapshot(now, progress, out);
  }
  const bool anywhere = std::holds_alternative<Restoring>(progress.state);
  const Index next = anywhere ? 1 : progress.next;
  send_append(to, next, next - 1, out);
}

// Sends the entries from `next` through `last`; empty if `last` is before `next`.
Index Raft::send_append(NodeId to, Index next, Index last, Output& out) {
  auto& leader = std::get<Leader>(state_);
  const Index previous = next - 1;
  pb::RaftMessage message = envelope();
  pb::RaftMessage::Append& append = *message.mutable_append();
  append.set_previous_index(previous);
  append.set_previous_term(log_.knows(previous) ? log_.term_at(previous) : 0);
  for (Index index = next; index <= last; ++index) *append.add_entries() = *log_.entry(index);
  append.set_commit_index(commit_index_);
  append.set_round(++leader.round);
  out.send_now.push_back({to, std::move(message)});
  return last;
}

bool Raft::can_reach(const Progress& progress) const {
  return progress.next > log_.start().index();
}

void Raft::probe(Time now, NodeId to, Progress& progress, Index next, Output& out) {
  progress.next = next;
  if (!can_reach(progress)) return restore(now, progress, out);
  progress.state = Probing{std::get<Leader>(state_).round + 1};
  send_append(to, next, log_.last_within(next, config_.max_append_bytes), out);
}

// Returns whether anything was sent.
bool Raft::send_entries(Time now, NodeId to, Progress& progress, Output& out) {
  auto* replicating = std::get_if<Replicating>(&progress.state);
  if (replicating == nullptr) return false;
  bool sent = false;
  while (progress.next <= log_.last_index() &&
         replicating->in_flight.size() < config_.max_in_flight) {
    if (!can_reach(progress)) {
      restore(now, progress, out);
      return sent;
    }
    const Index last = log_.last_within(progress.next, config_.max_append_bytes);
    progress.next = send_append(to, progress.next, last, out) + 1;
    replicating->in_flight.push_back(std::get<Leader>(state_).round);
    sent = true;
  }
  return sent;
}

// A new commit index is told at once, with entries if there are any to send.
void Raft::spread_commit(Time now, Output& out) {
  for (auto& [node, progress] : std::get<Leader>(state_).followers) {
    if (send_entries(now, node, progress, out)) continue;
    if (!std::holds_alternative<Replicating>(progress.state)) continue;
    if (can_reach(progress)) send_append(node, progress.next, progress.next - 1, out);
  }
}

// Only entries of the leader's own term are committed by counting; they take the earlier ones
// along.
void Raft::advance_commit(Time now, Output& out) {
  const bool counts_unsynced = config_.mistakes.has(Mistake::kCountOwnUnsynced);
  std::vector<Index> matches = {counts_unsynced ? log_.last_index() : persistence_.durable_index()};
  for (const auto& [node, progress] : std::get<Leader>(state_).followers) {
    matches.push_back(progress.match);
  }
  const Index stored = voters_.reached_by_quorum(std::move(matches));
  if (stored <= commit_index_) return;
  const bool counts_any_term = config_.mistakes.has(Mistake::kCommitOldTerm);
  if (log_.term_at(stored) != term() && !counts_any_term) return;
  commit_to(stored, out);
  spread_commit(now, out);
  advance_confirmations(now, out);
}

void Raft::receive_append_reply(Time now, NodeId from, const pb::RaftMessage::AppendReply& reply,
                                Output& out) {
  auto* leader = std::get_if<Leader>(&state_);
  if (leader == nullptr) return;
  Progress& progress = leader->followers.at(from);
  progress.heard(now, reply.round());
  if (reply.success()) {
    accept_match(now, from, progress, reply.match_index(), reply.round(), out);
  } else {
    accept_refusal(now, from, progress, reply, out);
  }
  advance_confirmations(now, out);
}

void Raft::accept_match(Time now, NodeId from, Progress& progress, Index match, std::uint64_t round,
                        Output& out) {
  assert(match <= log_.last_index());
  progress.match = std::max(progress.match, match);
  const auto* probing = std::get_if<Probing>(&progress.state);
  const bool found = probing != nullptr && round >= probing->since;
  const bool restored =
      std::holds_alternative<Restoring>(progress.state) && progress.match >= log_.start().index();
  if (found || restored) {
    progress.next = progress.match + 1;
    progress.state = Replicating{std::get<Leader>(state_).round + 1, {}};
  }
  if (auto* replicating = std::get_if<Replicating>(&progress.state)) {
    progress.next = std::max(progress.next, progress.match + 1);
    replicating->answered(round);
  }
  advance_commit(now, out);
  const bool sent = send_entries(now, from, progress, out);
  const bool begins = found || restored;  // it may not know the commit index
  if (begins && !sent) send_heartbeat(now, from, progress, out);
}

// Back to where the logs may agree: past the whole of a term the follower should not have, or to
// the end of a term both have.
void Raft::accept_refusal(Time now, NodeId from, Progress& progress,
                          const pb::RaftMessage::AppendReply& reply, Output& out) {
  const auto* probing = std::get_if<Probing>(&progress.state);
  const auto* replicating = std::get_if<Replicating>(&progress.state);
  const bool stale = (probing != nullptr && reply.round() < probing->since) ||
                     (replicating != nullptr && reply.round() < replicating->since);
  if (stale || std::holds_alternative<Restoring>(progress.state)) return;
  Index next = reply.conflict_index();
  const bool shared =
      reply.conflict_term() != 0 && log_.knows(next) && log_.term_at(next) == reply.conflict_term();
  if (shared) next = log_.last_of_term(reply.conflict_term()) + 1;
  next = std::clamp(next, progress.match + 1, log_.last_index() + 1);
  probe(now, from, progress, next, out);
}

void Raft::advance_confirmations(Time now, Output& out) {
  if (!leader_ready()) return;
  auto& leader = std::get<Leader>(state_);
  const auto take_proven = [&] {
    std::vector<std::uint64_t> echoed = {std::numeric_limits<std::uint64_t>::max()};  // by itself
    for (const auto& [node, progress] : leader.followers) echoed.push_back(progress.round);
    const std::uint64_t reached = voters_.reached_by_quorum(std::move(echoed));
    for (const std::uint64_t nonce : leader.confirmations.take_proven(reached)) {
      out.confirmed.push_back(nonce);
    }
  };
  take_proven();
  if (!leader.confirmations.wants_round()) return;
  leader.confirmations.begin(leader.round + 1);
  send_heartbeats(now, out);
  take_proven();  // at once if nobody else votes
}

}  // namespace failsim::raft
