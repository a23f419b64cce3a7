// The leader's side of a snapshot: one chunk in flight, repeated until it is answered.
#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/raft/raft.h"

namespace failsim::raft {

void Raft::restore(Time now, Progress& progress, Output& out) {
  progress.state = Restoring{};
  want_snapshot(now, progress, out);
}

// Not for a silent follower: a picture of the state is not kept for somebody who may never return.
void Raft::want_snapshot(Time now, const Progress& progress, Output& out) {
  if (std::get<Restoring>(progress.state).source != nullptr) return;
  if (now < progress.heard_at + config_.election_timeout) out.wants_snapshot = true;
}

void Raft::provide_snapshot(Time now, std::shared_ptr<const SnapshotSource> source, Output& out) {
  auto* leader = std::get_if<Leader>(&state_);
  if (leader == nullptr) return;
  assert(source->position().index() <= commit_index_);
  assert(source->chunk_count() > 0);
  const bool too_old = source->position().index() < log_.start().index();
  for (auto& [node, progress] : leader->followers) {
    auto* restoring = std::get_if<Restoring>(&progress.state);
    if (restoring == nullptr || restoring->source != nullptr) continue;
    if (too_old) {
      want_snapshot(now, progress, out);
    } else {
      restoring->source = source;
      restoring->chunk = 0;
      send_chunk(now, node, *restoring, out);
    }
  }
  check_invariants();
}

void Raft::send_chunk(Time now, NodeId to, Restoring& restoring, Output& out) {
  auto& leader = std::get<Leader>(state_);
  const pb::LogStart position = restoring.source->position();
  restoring.round = ++leader.round;
  restoring.resend_at = now + config_.election_timeout;
  pb::RaftMessage message = envelope();
  pb::RaftMessage::Snapshot& snapshot = *message.mutable_snapshot();
  snapshot.set_last_index(position.index());
  snapshot.set_last_term(position.term());
  snapshot.set_last_checksum(position.checksum());
  snapshot.set_chunk(restoring.chunk);
  snapshot.set_last_chunk(restoring.chunk + 1 == restoring.source->chunk_count());
  snapshot.set_data(restoring.source->chunk(restoring.chunk));
  snapshot.set_round(restoring.round);
  snapshot.set_commit_index(commit_index_);
  out.send_now.push_back({to, std::move(message)});
}

void Raft::resend_chunk(Time now, NodeId to, Progress& progress, Output& out) {
  auto* restoring = std::get_if<Restoring>(&progress.state);
  if (restoring == nullptr || restoring->resend_at > now) return;
  if (now < progress.heard_at + config_.election_timeout) {
    send_chunk(now, to, *restoring, out);
  } else {
    progress.state = Restoring{};
  }
}

// Only the answer to the very chunk in flight moves the stream; an installed snapshot counts
// whenever its answer comes.
void Raft::receive_snapshot_reply(Time now, NodeId from,
                                  const pb::RaftMessage::SnapshotReply& reply, Output& out) {
  auto* leader = std::get_if<Leader>(&state_);
  if (leader == nullptr) return;
  Progress& progress = leader->followers.at(from);
  progress.heard(now, reply.round());
  auto* restoring = std::get_if<Restoring>(&progress.state);
  const bool current =
      restoring != nullptr && restoring->source != nullptr && restoring->round == reply.round();
  if (reply.installed()) {
    if (current) progress.state = Restoring{};
    accept_match(now, from, progress, reply.last_index(), reply.round(), out);
  } else if (current) {
    const bool exists = reply.next_chunk() < restoring->source->chunk_count();
    restoring->chunk = exists ? reply.next_chunk() : 0;
    send_chunk(now, from, *restoring, out);
  }
  advance_confirmations(now, out);
}

}  // namespace failsim::raft
