// What the leader does about what it sees. It brings what is heard and what is applied to those who
// decide, each about one thing, and hands their commands to the log:
//
//   node_watch.h           nodes that come and go
//   guest_watch.h          operations of VMs, and guests that were lost
//   migration_conductor.h  migrations whose next condition has come
//   failover.h             VMs without a living owner
//
// They only propose. Every command carries what it was decided on, and apply compares, so deciding
// twice, or by two leaders, is harmless; whatever is seen missing is proposed again. It looks at
// what was touched or reported, and at everything in flight once per heartbeat interval.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/failover/decision.h"
#include "cluster/failover/failover.h"
#include "cluster/failover/guest_watch.h"
#include "cluster/failover/migration_conductor.h"
#include "cluster/failover/node_watch.h"
#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/message.pb.h"
#include "cluster/state/apply.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

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
  void observe(const ClusterState& state, pb::Command& command) const {
    migrations_.observe(state, command);
  }

  std::vector<Proposal> decide(const LeaderView& view);
  // When deciding again can bring something new although nothing was heard.
  Time next_deadline() const { return next_look_; }

 private:
  void look_at(const ClusterState& state, const std::string& vm);
  void make_all_due(const LeaderView& view);
  void decide_lease_bound(Decision& decision);

  NodeWatch nodes_;
  GuestWatch guests_;
  MigrationConductor migrations_;
  Failover failover_;

  std::map<std::string, Index> on_their_way_;  // keys of proposals not applied yet
  std::set<std::string> due_;                  // VMs to look at now
  std::set<std::string> unsettled_;            // VMs with an operation, job or open digest
  bool nodes_due_ = true;
  Time next_look_ = 0;
  Time bound_lowered_since_ = kNever;
};

}  // namespace failsim
