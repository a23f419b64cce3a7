#include "cluster/member/leadership.h"

#include <utility>

namespace failsim {

Leadership::Leadership(const MemberConfig& config, const Peers& peers,
                       const FailureDetector& detector, Replica& replica, raft::Raft& log)
    : config_(config), peers_(peers), detector_(detector), replica_(replica), log_(log) {}

bool Leadership::begins(Time now) {
  if (!holds() || term_ == log_.term()) return false;
  term_ = log_.term();
  const bool waits = !config_.mistakes.has(Mistake::kNewLeaderReassignsAtOnce);
  grantor_.elected(now, waits ? replica_.state().cluster().lease_bound_ns() : 0);
  coordinator_.elected(replica_.state(), replica_.applied());
  return true;
}

// ---- What is heard ------------------------------------------------------------------------------

void Leadership::report(NodeId from, Incarnation incarnation,
                        const pb::PeerMessage::Report& report) {
  if (holds()) coordinator_.report(from, incarnation, report);
}

void Leadership::applied(const Applied& applied, Index index) {
  if (holds()) coordinator_.applied(replica_.state(), applied, index);
}

std::vector<pb::PeerMessage> Leadership::lease_asked(Time now, NodeId from, Incarnation incarnation,
                                                     const pb::PeerMessage::LeaseRequest& request,
                                                     raft::Output& out) {
  if (!holds()) return {};
  grantor_.asked(from, incarnation, request, now);
  const LeaseAsked asked{from, incarnation, request.nonce()};
  const std::uint64_t number = ++last_question_;
  if (config_.mistakes.has(Mistake::kLeaseWithoutProof)) {
    const auto grant = answer(now, asked);
    return grant.has_value() ? std::vector{*grant} : std::vector<pb::PeerMessage>();
  }
  questions_[number] = asked;
  log_.confirm(now, number, out);
  return {};
}

std::vector<pb::PeerMessage> Leadership::read_asked(Time now, NodeId from, std::uint64_t question,
                                                    raft::Output& out) {
  const ReadAsked asked{from, question, log_.commit_index()};
  if (!holds()) return {not_leader(asked)};
  const std::uint64_t number = ++last_question_;
  questions_[number] = asked;
  if (config_.mistakes.has(Mistake::kReadWithoutProof)) {
    out.confirmed.push_back(number);
  } else {
    log_.confirm(now, number, out);
  }
  return {};
}

// ---- What is answered ---------------------------------------------------------------------------

std::vector<pb::PeerMessage> Leadership::answers(Time now, raft::Output& out) {
  std::vector<pb::PeerMessage> messages;
  for (const std::uint64_t number : std::exchange(out.confirmed, {})) {
    const std::optional<Question> question = take_question(number);
    if (!question.has_value()) continue;
    auto message = std::visit([&](const auto& asked) { return answer(now, asked); }, *question);
    if (message.has_value()) messages.push_back(*std::move(message));
  }
  for (const std::uint64_t number : std::exchange(out.confirm_failed, {})) {
    const std::optional<Question> question = take_question(number);
    if (!question.has_value()) continue;
    // Other nodes notice by themselves that another leads.
    const auto* read = std::get_if<ReadAsked>(&*question);
    if (read != nullptr && read->node == config_.self) messages.push_back(not_leader(*read));
  }
  return messages;
}

std::optional<Leadership::Question> Leadership::take_question(std::uint64_t number) {
  const auto found = questions_.find(number);
  if (found == questions_.end()) return std::nullopt;
  const Question question = found->second;
  questions_.erase(found);
  return question;
}

// The grant names the last entry appended, committed or not: it helps the node only once it has
// applied whatever reassignment may be among them.
std::optional<pb::PeerMessage> Leadership::answer(Time now, const LeaseAsked& asked) {
  if (!holds()) return std::nullopt;
  const pb::Node* node = replica_.state().node(asked.node);
  if (node->incarnation() != asked.incarnation || node->state() != pb::NODE_UP) return std::nullopt;
  const Duration length = replica_.state().detection_time();
  grantor_.grant(asked.node, now, length);
  pb::PeerMessage message = peers_.envelope(asked.node);
  pb::PeerMessage::LeaseGrant& grant = *message.mutable_lease_grant();
  grant.set_nonce(asked.nonce);
  const bool by_commit = config_.mistakes.has(Mistake::kLeaseByCommitIndex);
  grant.set_index(by_commit ? log_.commit_index() : log_.last_index());
  grant.set_length_ns(length);
  return message;
}

std::optional<pb::PeerMessage> Leadership::answer(Time, const ReadAsked& asked) const {
  pb::PeerMessage message = peers_.envelope(asked.node);
  message.mutable_read_index_reply()->set_token(asked.question);
  message.mutable_read_index_reply()->set_index(asked.index);
  return message;
}

pb::PeerMessage Leadership::not_leader(const ReadAsked& asked) const {
  pb::PeerMessage message = peers_.envelope(asked.node);
  message.mutable_read_index_reply()->set_token(asked.question);
  message.mutable_read_index_reply()->set_not_leader(true);
  return message;
}

// ---- What is proposed ---------------------------------------------------------------------------

void Leadership::decide(Time now, bool leased, raft::Output& out) {
  if (!holds()) return;
  const LeaderView view{replica_.state(),
                        detector_,
                        grantor_,
                        config_.self,
                        config_.incarnation,
                        (peers_.others().size() + 1) / 2 + 1,
                        leased,
                        now,
                        replica_.cluster_time(now),
                        config_.mistakes};
  for (Proposal& proposal : coordinator_.decide(view)) {
    const std::optional<Index> index = propose(now, std::move(proposal.command), out);
    if (index.has_value()) coordinator_.proposed(proposal, *index);
  }
  if (std::optional<pb::Command> check = replica_.due_check()) {
    const std::optional<Index> index = propose(now, std::move(*check), out);
    if (index.has_value()) replica_.check_proposed(*index);
  }
}

std::optional<Index> Leadership::propose(Time now, pb::Command command, raft::Output& out) {
  command.set_cluster_time_ns(replica_.cluster_time(now));
  command.set_wall_time_ns(config_.wall_time_origin_ns + now);
  command.set_proposer(config_.self);
  coordinator_.observe(replica_.state(), command);
  return log_.propose(now, command.SerializeAsString(), out);
}

}  // namespace failsim
