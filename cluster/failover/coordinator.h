// What the leader does about what it sees: nodes that come and go, VMs without a living owner,
// operations and migrations whose next condition has come.
//
// It only proposes. Every command carries what it was decided on, and apply compares, so deciding
// twice, or by two leaders, is harmless; whatever is seen missing is proposed again. It looks at
// what was touched or reported, and at everything in flight once per heartbeat interval.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/ids.h"
#include "cluster/membership/failure_detector.h"
#include "cluster/membership/lease.h"
#include "cluster/mistakes.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/message.pb.h"
#include "cluster/state/apply.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

// What a decision looks at.
struct LeaderView {
  const ClusterState& state;
  const FailureDetector& detector;
  const LeaseGrantor& leases;
  NodeId self;
  Incarnation incarnation;  // of the leader itself
  std::size_t quorum;       // members that have to agree
  bool leased;              // the leader itself holds a lease: it can be renewed
  Time now;
  Duration cluster_now;  // cluster time
  [[no_unique_address]] Mistakes mistakes;
};

// A command to propose, and the names under which it is not proposed again while it is on its way.
struct Proposal {
  std::vector<std::string> keys;
  pb::Command command;
};

class Coordinator {
 public:
  // ---- heard by every member, leader or not ----

  // The process (node, instance) is dead, and its guests with it.
  void evidence(NodeId node, std::uint32_t instance);

  // ---- heard by the leader ----

  // This member was elected: everything is looked at anew.
  void elected(const ClusterState& state, Index applied);
  void report(NodeId from, Incarnation incarnation, const pb::PeerMessage::Report& report);
  void applied(const ClusterState& state, const Applied& applied, Index index);
  void proposed(const Proposal& proposal, Index index);
  // Adds to a command about to be proposed how far the migrations are that it may end.
  void observe(const ClusterState& state, pb::Command& command) const;

  std::vector<Proposal> decide(const LeaderView& view);
  // When deciding again can bring something new although nothing was heard.
  Time next_deadline() const { return next_look_; }

 private:
  struct Decision;
  struct GuestSaid {
    NodeId from = kNoNode;
    Incarnation incarnation = 0;
    pb::PeerMessage::Report::Guest guest;
  };

  void forget_ended_jobs(const ClusterState& state);
  void look_at(const ClusterState& state, const std::string& vm);

  void decide_node(Decision& decision, const pb::Node& node);
  void notice_ups(const LeaderView& view);
  Time last_leased(const LeaderView& view, const pb::Node& node) const;
  std::size_t silent_votes(const Decision& decision, NodeId of) const;
  std::optional<std::string> why_down(const Decision& decision, const pb::Node& node) const;
  bool is_back(const Decision& decision, const pb::Node& node) const;
  void decide_vm(Decision& decision, const pb::Vm& vm);
  void decide_step(Decision& decision, const pb::Vm& vm, const GuestSaid& said);
  void decide_guest_lost(Decision& decision, const pb::Vm& vm, const GuestSaid& said);
  void decide_migration(Decision& decision, const pb::Vm& vm, const pb::Task& task);
  const pb::PeerMessage::Report::Transfer* broken_side(
      Decision& decision, TaskId id, const pb::MigrationJob& job,
      const pb::PeerMessage::Report::Transfer* source,
      const pb::PeerMessage::Report::Transfer* target);
  bool verification_open(const ClusterState& state, const pb::Vm& vm) const;
  void decide_digest(Decision& decision, const pb::Vm& vm);
  void decide_failovers(Decision& decision);
  void decide_lease_bound(Decision& decision);

  void observe(const ClusterState& state, TaskId id, pb::Command& command) const;
  const pb::PeerMessage::Report::Transfer* said(const pb::MigrationJob& job, TaskId id,
                                                NodeId side) const;
  void propose(Decision& decision, std::string key, pb::Command command);

  std::set<std::pair<NodeId, std::uint32_t>> dead_;  // (node, instance)
  std::map<std::string, Index> changed_at_;          // last change of a VM's row since the election
  Index elected_at_ = 0;                             // what was applied then
  std::map<std::string, GuestSaid> guests_;          // by VM
  std::map<std::pair<TaskId, NodeId>, pb::PeerMessage::Report::Transfer> transfers_;
  std::map<std::string, Index> on_their_way_;  // proposals not applied yet
  std::set<std::string> due_;                  // VMs to look at now
  std::set<std::string> unsettled_;            // VMs with an operation, job or open digest
  std::set<std::string> orphans_;              // VMs whose owner may be dead
  std::map<std::string, Time> retry_at_;       // VMs that could not be started
  std::map<TaskId, Time> target_failed_;       // since when only the target says so
  bool nodes_due_ = true;
  Index nodes_changed_at_ = 0;                         // the last change of a node's row
  std::map<NodeId, std::pair<Incarnation, Time>> up_;  // processes that are Up, since when
  Time leased_from_ = 0;                               // since when this leader holds a lease
  Time next_look_ = 0;
  Time bound_lowered_since_ = kNever;
};

}  // namespace failsim
