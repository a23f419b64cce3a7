#include "cluster/raft/raft.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace failsim::raft {

Raft::Raft(const Config& config, const Recovered& recovered, Time now)
    : config_(config),
      voters_(config.voters),
      is_voter_(voters_.contains(config.self, config.store_id)),
      random_(config.random_seed ^ (std::uint64_t{config.self} << 32)),
      hard_state_(recovered.hard_state),
      log_(recovered.log_start, recovered.entries),
      commit_index_(std::max<Index>(recovered.applied, recovered.log_start.index())),
      persistence_(log_.last_index()),
      state_(Follower{kNoNode, now, draw_election_time(now)}) {
  assert(config.self != kNoNode);
  assert(config.election_timeout > config.heartbeat_interval);
  assert(config.max_in_flight > 0);
  check_invariants();
}

void Raft::tick(Time now, Duration gap, Output& out) {
  if (leads()) {
    tick_leader(now, out);
  } else if (auto* follower = std::get_if<Follower>(&state_)) {
    follower->heard_at += gap;
    if (follower->election_at != kNever) follower->election_at += gap;
    if (follower->election_at <= now) start_pre_vote(now, out);
  } else if (next_deadline() <= now) {
    start_pre_vote(now, out);
  }
  check_invariants();
}

Time Raft::next_deadline() const {
  if (const auto* follower = std::get_if<Follower>(&state_)) return follower->election_at;
  if (const auto* candidate = std::get_if<PreCandidate>(&state_)) return candidate->election_at;
  if (const auto* candidate = std::get_if<Candidate>(&state_)) return candidate->election_at;
  return leader_deadline();
}

void Raft::receive(Time now, NodeId from, const pb::RaftMessage& message, Output& out) {
  assert(from != config_.self);
  if (!voters_.contains(from, message.store_id())) return;
  // A pre-vote asks about a term nobody is in yet and disturbs nobody, so its own term is not
  // taken over; the answer is matched by the term asked about.
  const bool about_the_future = message.has_pre_vote() || message.has_pre_vote_reply();
  if (message.term() > hard_state_.term() && !message.has_pre_vote()) {
    become_follower(now, message.term(), kNoNode, out);
  }
  if (message.term() < hard_state_.term() && !about_the_future) {
    refuse_stale(from, message, out);
  } else {
    dispatch(now, from, message, out);
  }
  check_invariants();
}

void Raft::dispatch(Time now, NodeId from, const pb::RaftMessage& message, Output& out) {
  switch (message.kind_case()) {
    case pb::RaftMessage::kPreVote:
      return receive_pre_vote(now, from, message.pre_vote(), out);
    case pb::RaftMessage::kPreVoteReply:
      return receive_pre_vote_reply(now, from, message.pre_vote_reply(), out);
    case pb::RaftMessage::kVote:
      return receive_vote(now, from, message.vote(), out);
    case pb::RaftMessage::kVoteReply:
      return receive_vote_reply(now, from, message.vote_reply(), out);
    case pb::RaftMessage::kAppend:
      return receive_append(now, from, message.append(), out);
    case pb::RaftMessage::kAppendReply:
      return receive_append_reply(now, from, message.append_reply(), out);
    case pb::RaftMessage::kSnapshot:
      return receive_snapshot(now, from, message.snapshot(), out);
    case pb::RaftMessage::kSnapshotReply:
      return receive_snapshot_reply(now, from, message.snapshot_reply(), out);
    case pb::RaftMessage::KIND_NOT_SET:
      return;
  }
}

// A request of an earlier term is answered with the present one, so that its sender learns it; an
// answer of an earlier term says nothing any more.
void Raft::refuse_stale(NodeId from, const pb::RaftMessage& message, Output& out) {
  pb::RaftMessage reply = envelope();
  if (message.has_vote()) {
    reply.mutable_vote_reply()->set_granted(false);
  } else if (message.has_append()) {
    reply.mutable_append_reply()->set_success(false);
  } else if (message.has_snapshot()) {
    reply.mutable_snapshot_reply()->set_installed(false);
  } else {
    return;
  }
  out.after.push_back({from, std::move(reply)});
}

void Raft::persisted(Time now, std::uint64_t mark, Output& out) {
  persistence_.persisted(mark);
  count_own_vote(now, out);
  if (leads()) advance_commit(now, out);
  check_invariants();
}

std::optional<Index> Raft::propose(Time now, std::string command, Output& out) {
  assert(!command.empty());
  auto* leader = std::get_if<Leader>(&state_);
  if (leader == nullptr) return std::nullopt;
  if (log_.last_index() - commit_index_ >= config_.max_uncommitted) return std::nullopt;
  append_own(std::move(command), out);
  for (auto& [node, progress] : leader->followers) send_entries(now, node, progress, out);
  check_invariants();
  return log_.last_index();
}

void Raft::confirm(Time now, std::uint64_t nonce, Output& out) {
  auto* leader = std::get_if<Leader>(&state_);
  if (leader == nullptr) {
    out.confirm_failed.push_back(nonce);
    return;
  }
  leader->confirmations.add(nonce);
  advance_confirmations(now, out);
  check_invariants();
}

void Raft::compact(Index index, Output& out) {
  assert(index <= commit_index_);
  if (const auto* leader = std::get_if<Leader>(&state_)) {
    for (const auto& [node, progress] : leader->followers) {
      const auto* restoring = std::get_if<Restoring>(&progress.state);
      if (restoring == nullptr || restoring->source == nullptr) continue;
      index = std::min<Index>(index, restoring->source->position().index());
    }
  }
  if (index <= log_.start().index()) return;
  log_.compact(index);
  out.durable.log_start = log_.start();
  note_durable(out);
  check_invariants();
}

void Raft::step_down(Time now, Output& out) {
  if (leads()) become_follower(now, term(), kNoNode, out);
  check_invariants();
}

Role Raft::role() const {
  if (std::holds_alternative<Leader>(state_)) return Role::kLeader;
  if (std::holds_alternative<Candidate>(state_)) return Role::kCandidate;
  if (std::holds_alternative<PreCandidate>(state_)) return Role::kPreCandidate;
  return Role::kFollower;
}

bool Raft::leader_ready() const {
  const auto* leader = std::get_if<Leader>(&state_);
  return leader != nullptr && commit_index_ >= leader->noop_index;
}

NodeId Raft::leader() const {
  if (leads()) return config_.self;
  const auto* follower = std::get_if<Follower>(&state_);
  return follower == nullptr ? kNoNode : follower->leader;
}

Term Raft::term() const {
  return hard_state_.term();
}
Index Raft::last_index() const {
  return log_.last_index();
}
Index Raft::commit_index() const {
  return commit_index_;
}
Index Raft::first_index() const {
  return log_.first_index();
}
pb::LogStart Raft::position_of(Index index) const {
  return log_.position_of(index);
}
EntryPtr Raft::entry(Index index) const {
  return log_.entry(index);
}

Time Raft::elected_at() const {
  assert(leads());
  return std::get<Leader>(state_).elected_at;
}

bool Raft::has_quorum(Time now) const {
  if (leads()) return voters_.quorum() == 1 || now < quorum_heard_at() + config_.election_timeout;
  return holds_to_leader(now);
}

Time Raft::draw_election_time(Time now) {
  if (!is_voter_) return kNever;
  const auto timeout = static_cast<std::uint64_t>(config_.election_timeout);
  return now + config_.election_timeout + static_cast<Duration>(random_.below(timeout));
}

// A follower that only learns a higher term keeps its election time: whoever raised the term has
// not shown yet that it can lead.
void Raft::become_follower(Time now, Term term, NodeId leader, Output& out) {
  assert(term >= hard_state_.term());
  if (auto* leading = std::get_if<Leader>(&state_)) {
    for (const std::uint64_t nonce : leading->confirmations.take_all()) {
      out.confirm_failed.push_back(nonce);
    }
  }
  if (term > hard_state_.term()) set_hard_state(term, kNoNode, out);
  const auto* follower = std::get_if<Follower>(&state_);
  const Time election_at =
      follower != nullptr && leader == kNoNode ? follower->election_at : draw_election_time(now);
  state_ = Follower{leader, now, election_at};
}

void Raft::set_hard_state(Term term, NodeId voted_for, Output& out) {
  hard_state_.set_term(term);
  hard_state_.set_voted_for(voted_for);
  out.durable.hard_state = hard_state_;
  note_durable(out);
}

void Raft::note_durable(Output& out) {
  out.mark = persistence_.issue(log_.last_index());
}

void Raft::commit_to(Index index, Output& out) {
  assert(index <= log_.last_index());
  while (commit_index_ < index) out.committed.push_back(log_.entry(++commit_index_));
}

pb::RaftMessage Raft::envelope() const {
  pb::RaftMessage message;
  message.set_term(hard_state_.term());
  message.set_store_id(config_.store_id);
  return message;
}

void Raft::check_invariants() const {
  assert(commit_index_ >= log_.start().index());
  assert(commit_index_ <= log_.last_index());
  assert(hard_state_.term() >= log_.last_term());
  assert(persistence_.durable_index() <= log_.last_index());
  if (role() == Role::kFollower || role() == Role::kPreCandidate) return;
  assert(is_voter_);
  assert(hard_state_.voted_for() == config_.self);
}

}  // namespace failsim::raft
