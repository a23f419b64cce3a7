// Elections: a pre-vote that disturbs nobody, then a vote that is stored before it counts.
#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/raft/raft.h"

namespace failsim::raft {

bool Raft::is_up_to_date(Index last_index, Term last_term) const {
  if (last_term != log_.last_term()) return last_term > log_.last_term();
  return last_index >= log_.last_index();
}

bool Raft::holds_to_leader(Time now) const {
  if (leads()) return true;
  const auto* follower = std::get_if<Follower>(&state_);
  if (follower == nullptr || follower->leader == kNoNode) return false;
  return now < follower->heard_at + config_.election_timeout;
}

void Raft::start_pre_vote(Time now, Output& out) {
  assert(is_voter_);
  state_ = PreCandidate{{config_.self}, draw_election_time(now)};
  if (voters_.quorum() == 1) return start_vote(now, out);
  pb::RaftMessage message = envelope();
  message.mutable_pre_vote()->set_last_index(log_.last_index());
  message.mutable_pre_vote()->set_last_term(log_.last_term());
  message.mutable_pre_vote()->set_next_term(term() + 1);
  for (const auto& [node, store] : voters_.stores()) {
    if (node != config_.self) out.send_now.push_back({node, message});
  }
}

void Raft::start_vote(Time now, Output& out) {
  set_hard_state(term() + 1, config_.self, out);
  state_ = Candidate{{}, out.mark, draw_election_time(now)};
  pb::RaftMessage message = envelope();
  message.mutable_vote()->set_last_index(log_.last_index());
  message.mutable_vote()->set_last_term(log_.last_term());
  for (const auto& [node, store] : voters_.stores()) {
    if (node != config_.self) out.after.push_back({node, message});
  }
}

void Raft::become_leader(Time now, Output& out) {
  Leader leader;
  leader.elected_at = now;
  leader.heartbeat_at = now + config_.heartbeat_interval;
  leader.noop_index = log_.last_index() + 1;
  for (const auto& [node, store] : voters_.stores()) {
    if (node == config_.self) continue;
    leader.followers[node].heard_at = now;
  }
  const Index next = leader.noop_index;
  state_ = std::move(leader);
  append_own("", out);
  for (auto& [node, progress] : std::get<Leader>(state_).followers) {
    probe(now, node, progress, next, out);
  }
}

void Raft::count_own_vote(Time now, Output& out) {
  auto* candidate = std::get_if<Candidate>(&state_);
  if (candidate == nullptr || !persistence_.is_persisted(candidate->vote_mark)) return;
  candidate->granted.insert(config_.self);
  if (candidate->granted.size() >= voters_.quorum()) become_leader(now, out);
}

void Raft::receive_pre_vote(Time now, NodeId from, const pb::RaftMessage::PreVote& request,
                            Output& out) {
  const bool granted = request.next_term() > term() &&
                       is_up_to_date(request.last_index(), request.last_term()) &&
                       !holds_to_leader(now);
  // The envelope's term is the real one: a candidate with a long log and an old term learns it.
  pb::RaftMessage reply = envelope();
  reply.mutable_pre_vote_reply()->set_granted(granted);
  reply.mutable_pre_vote_reply()->set_next_term(request.next_term());
  out.send_now.push_back({from, std::move(reply)});
}

void Raft::receive_pre_vote_reply(Time now, NodeId from, const pb::RaftMessage::PreVoteReply& reply,
                                  Output& out) {
  auto* candidate = std::get_if<PreCandidate>(&state_);
  if (candidate == nullptr || !reply.granted() || reply.next_term() != term() + 1) return;
  candidate->granted.insert(from);
  if (candidate->granted.size() >= voters_.quorum()) start_vote(now, out);
}

void Raft::receive_vote(Time now, NodeId from, const pb::RaftMessage::Vote& request, Output& out) {
  const NodeId voted_for = hard_state_.voted_for();
  const bool granted =
      voted_for == from ||
      (voted_for == kNoNode && is_up_to_date(request.last_index(), request.last_term()));
  if (granted && voted_for == kNoNode) {
    set_hard_state(term(), from, out);
    state_ = Follower{leader(), now, draw_election_time(now)};
  }
  pb::RaftMessage reply = envelope();
  reply.mutable_vote_reply()->set_granted(granted);
  const bool waits = !config_.mistakes.has(Mistake::kVoteBeforeSync);
  (waits ? out.after : out.send_now).push_back({from, std::move(reply)});
}

void Raft::receive_vote_reply(Time now, NodeId from, const pb::RaftMessage::VoteReply& reply,
                              Output& out) {
  auto* candidate = std::get_if<Candidate>(&state_);
  if (candidate == nullptr || !reply.granted()) return;
  candidate->granted.insert(from);
  if (candidate->granted.size() >= voters_.quorum()) become_leader(now, out);
}

}  // namespace failsim::raft
