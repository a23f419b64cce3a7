// What a member does for the others while it leads: it proposes what the coordinator decides,
// grants leases, and says up to which entry a read has to wait.
//
// The last two rest on a proof: a quorum round begun after the question came shows that no other
// leader can have been elected before it. Answers to this very member are messages to itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "cluster/failover/coordinator.h"
#include "cluster/ids.h"
#include "cluster/member.h"
#include "cluster/member/peers.h"
#include "cluster/member/replica.h"
#include "cluster/membership/failure_detector.h"
#include "cluster/membership/lease.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/message.pb.h"
#include "cluster/raft/raft.h"
#include "cluster/time.h"

namespace failsim {

class Leadership {
 public:
  // All of these outlive this object.
  Leadership(const MemberConfig& config, const Peers& peers, const FailureDetector& detector,
             Replica& replica, raft::Raft& log);

  // It leads, and its state contains everything ever acknowledged.
  bool holds() const { return log_.leads() && log_.leader_ready(); }
  // Whether it holds since now: to be called whenever the log has moved.
  bool begins(Time now);

  // ---- heard ----

  // The process (node, instance) is dead: remembered whoever leads.
  void evidence(NodeId node, std::uint32_t instance) { coordinator_.evidence(node, instance); }
  // The rest is ignored unless it holds.
  void report(NodeId from, Incarnation incarnation, const pb::PeerMessage::Report& report);
  void applied(const Applied& applied, Index index);
  // Leases and reads that are asked for; returns what can be answered at once.
  std::vector<pb::PeerMessage> lease_asked(Time now, NodeId from, Incarnation incarnation,
                                           const pb::PeerMessage::LeaseRequest& request,
                                           raft::Output& out);
  std::vector<pb::PeerMessage> read_asked(Time now, NodeId from, std::uint64_t question,
                                          raft::Output& out);

  // ---- done ----

  // The answers to those whose proof has come or failed.
  std::vector<pb::PeerMessage> answers(Time now, raft::Output& out);
  // Proposes what is to be done now; `leased`: this member holds a lease.
  void decide(Time now, bool leased, raft::Output& out);
  // The index of the command in the log; nothing if it was not taken.
  std::optional<Index> propose(Time now, pb::Command command, raft::Output& out);
  // When deciding again can bring something new although nothing was heard.
  Time next_deadline() const { return holds() ? coordinator_.next_deadline() : kNever; }

 private:
  // Who waits for a proof of leadership.
  struct LeaseAsked {
    NodeId node;
    Incarnation incarnation;
    std::uint64_t nonce;
  };
  struct ReadAsked {
    NodeId node;
    std::uint64_t question;
    Index index;
  };
  using Question = std::variant<LeaseAsked, ReadAsked>;

  std::optional<Question> take_question(std::uint64_t number);
  std::optional<pb::PeerMessage> answer(Time now, const LeaseAsked& asked);
  std::optional<pb::PeerMessage> answer(Time now, const ReadAsked& asked) const;
  pb::PeerMessage not_leader(const ReadAsked& asked) const;

  const MemberConfig& config_;
  const Peers& peers_;
  const FailureDetector& detector_;
  Replica& replica_;
  raft::Raft& log_;
  Coordinator coordinator_;
  LeaseGrantor grantor_;
  std::map<std::uint64_t, Question> questions_;  // by the number the log was given
  std::uint64_t last_question_ = 0;
  Term term_ = 0;  // the term this member last took leadership in
};

}  // namespace failsim
