// The inside of a Member: where the log, the membership, the local work, the clients and the
// leader's part meet. Each of them is a class of its own; this one only carries things between
// them, in a fixed order.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/effects.h"
#include "cluster/member.h"
#include "cluster/member/bulletins.h"
#include "cluster/member/client_desk.h"
#include "cluster/member/leadership.h"
#include "cluster/member/local_work.h"
#include "cluster/member/peers.h"
#include "cluster/member/replica.h"
#include "cluster/member/unwritten.h"
#include "cluster/membership/failure_detector.h"
#include "cluster/membership/lease.h"
#include "cluster/membership/store_history.h"
#include "cluster/membership/known_processes.h"
#include "cluster/raft/raft.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

class Member::Service {
 public:
  Service(const MemberConfig& config, const Recovered& recovered, Time now);

  void step(Time now, const Event& event, Effects& out);
  Time next_deadline() const;

  const MemberConfig& config() const { return config_; }
  const ClusterState& state() const { return replica_.state(); }
  const raft::Raft& log() const { return raft_; }
  const FailureDetector& detector() const { return detector_; }
  const LeaseHolder& lease() const { return lease_; }
  bool has_quorum(Time now) const { return raft_.has_quorum(now); }
  bool listens_to(const pb::PeerMessage& message) const;
  // The mark in a superseded store is written first.
  bool failed() const { return failed_ && retiring_ == 0; }

 private:
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
  void refuse_version(const pb::PeerMessage& message);
  void ask_process(const pb::PeerMessage& message);
  void show_process(NodeId to, const pb::PeerMessage::KnownProcess& known);
  void learn_superseded(bool is_agreed);
  void fail_superseded();
  void receive(const pb::PeerMessage& message);
  void take_request(const pb::Request& request);
  void receive_lease_grant(const pb::PeerMessage::LeaseGrant& grant);
  void receive_read_index_reply(NodeId from, const pb::PeerMessage::ReadIndexReply& reply);
  void receive_evidence(const pb::PeerMessage::Evidence& evidence);
  void send(pb::PeerMessage message);  // at once, to this very member as well
  void send(std::vector<pb::PeerMessage> messages);
  void send_if_any(std::optional<pb::PeerMessage> message);
  void spread(const pb::PeerMessage::Evidence& evidence);

  // What is due, in the order of step().
  void follow_log();
  void settle_log();
  void apply_committed();
  void apply_entry(const pb::LogEntry& entry);
  void install(const raft::InstalledSnapshot& snapshot);
  void notice_leader();
  void lease_changed(Time before);
  void serve_clients();
  void hand_over(const pb::Request& request, NodeId to);
  void ask_source(const pb::Request& request);
  void keep(const CancelToKeep& cancel);
  void compact_log();
  void hand_over_durable();

  void fail(std::string kind, std::string text);

  const MemberConfig config_;
  Replica replica_;
  raft::Raft raft_;
  Unwritten unwritten_;
  Peers peers_;
  const StoreHistory history_;  // of this member's own store
  KnownProcesses processes_;    // of the others
  FailureDetector detector_;
  LeaseHolder lease_;
  LocalWork local_;
  ClientDesk clients_;
  Leadership leadership_;
  Bulletins bulletins_;

  Time now_;
  Time promised_;           // when the next step was asked for
  Effects* out_ = nullptr;  // of the step under way
  raft::Output log_;        // of the step under way

  NodeId known_leader_ = kNoNode;
  std::set<NodeId> refused_versions_;  // that this was said of
  std::uint64_t retiring_ = 0;         // sequence of the mark, until it is written
  bool failed_ = false;
  bool leaving_ = false;
};

}  // namespace failsim
