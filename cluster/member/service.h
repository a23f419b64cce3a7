// The inside of a Member: where the log, the membership, the local work, the clients and the
// leader's decisions meet. Each of them is a class of its own; this one only carries things between
// them, in a fixed order.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "cluster/effects.h"
#include "cluster/failover/coordinator.h"
#include "cluster/member.h"
#include "cluster/member/client_desk.h"
#include "cluster/member/local_work.h"
#include "cluster/member/state_audit.h"
#include "cluster/membership/failure_detector.h"
#include "cluster/membership/lease.h"
#include "cluster/raft/raft.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

class Member::Service {
 public:
  Service(const MemberConfig& config, const Recovered& recovered, Time now);

  void step(Time now, const Event& event, Effects& out);
  Time next_deadline() const;

  const MemberConfig& config() const { return config_; }
  const ClusterState& state() const { return state_; }
  const raft::Raft& log() const { return raft_; }
  const FailureDetector& detector() const { return detector_; }
  const LeaseHolder& lease() const { return lease_; }
  bool has_quorum(Time now) const;
  bool failed() const { return failed_; }

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
  using Confirmation = std::variant<LeaseAsked, ReadAsked>;

  // Events.
  void take(const Tick&) {}
  void take(const MessageReceived& event);
  void take(const ClientAsks& event) { clients_.ask(now_, event.token, event.request); }
  void take(const ClientReads& event) { clients_.read(now_, event.token); }
  void take(const GuestReport& event);
  void take(const TransferReport& event);
  void take(const Persisted& event);
  void take(const StorageFailed& event);
  void take(const ProcessDied& event);
  void take(const Leaving& event);

  // Messages.
  bool acceptable(const pb::PeerMessage& message) const;
  void note_process(const pb::LogEntry& entry);
  void tell_superseded(const pb::PeerMessage& message);
  void learn_superseded();
  void receive(NodeId from, const pb::PeerMessage& message);
  void receive_lease_request(NodeId from, Incarnation incarnation,
                             const pb::PeerMessage::LeaseRequest& request);
  void receive_lease_grant(const pb::PeerMessage::LeaseGrant& grant);
  void receive_read_index(NodeId from, std::uint64_t question);
  void receive_read_index_reply(const pb::PeerMessage::ReadIndexReply& reply);
  void receive_evidence(const pb::PeerMessage::Evidence& evidence, bool spread);
  pb::PeerMessage envelope(NodeId to) const;
  void send(pb::PeerMessage message) { out_->send_now.push_back(std::move(message)); }
  template <typename Visit>
  void for_each_peer(Visit&& visit);

  // What is due, in the order of step().
  void follow_log();
  void settle_log();
  void apply_committed();
  void apply_entry(const pb::LogEntry& entry);
  void install(const raft::InstalledSnapshot& snapshot);
  void notice_leadership();
  void answer_confirmations();
  void grant_lease(const LeaseAsked& asked);
  void send_heartbeats();
  void ask_for_lease();
  void serve_clients();
  void report_to_leader();
  void decide();
  std::optional<Index> propose(pb::Command command);
  void compact_log();
  void hand_over_durable();

  Duration heartbeat_interval() const;
  Duration lease_interval() const;
  Duration cluster_now() const { return state_.cluster().time_ns() + (now_ - applied_at_); }
  bool leads() const { return raft_.leads() && raft_.leader_ready(); }

  MemberConfig config_;
  ClusterState state_;
  Index applied_;
  raft::Raft raft_;
  FailureDetector detector_;
  LeaseHolder lease_;
  LeaseGrantor grantor_;
  LocalWork local_;
  ClientDesk clients_;
  Coordinator coordinator_;
  StateAudit audit_;

  Time now_;
  Time promised_;           // when the next step was asked for
  Time applied_at_;         // local time of the newest cluster time
  Effects* out_ = nullptr;  // of the step under way
  raft::Output log_;        // of the step under way

  std::map<NodeId, Incarnation> incarnations_;  // the newest known of each node
  std::map<std::uint64_t, Confirmation> confirmations_;
  std::uint64_t last_confirmation_ = 0;
  std::map<std::uint64_t, std::uint64_t> marks_;  // sequence -> mark of the log
  std::map<std::uint64_t, Time> unwritten_;       // sequence -> when it was handed over
  std::uint64_t sequence_ = 0;
  std::uint64_t beat_ = 0;
  Time next_beat_;
  Time next_report_;
  bool report_due_ = false;
  bool lease_due_ = true;
  NodeId known_leader_ = kNoNode;
  Term led_term_ = 0;  // the term this member last took leadership in
  bool failed_ = false;
  bool leaving_ = false;
};

}  // namespace failsim
