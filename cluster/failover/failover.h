// New owners for VMs whose owner is gone.
//
// An owner is gone when its process is not Up. Its VMs change hands only when none of its guests
// can run: the process is proven dead, or no lease of its node is in force any more.
#pragma once

#include <set>
#include <string>

#include "cluster/failover/decision.h"
#include "cluster/failover/migration_conductor.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

class Failover {
 public:
  // This member was elected: every VM is going to be looked at.
  void elected() {
    orphans_.clear();
    led_since_ = kNever;
  }
  // Some node's row was changed.
  void nodes_changed(const ClusterState& state);
  // This VM's row was changed, or erased.
  void vm_changed(const ClusterState& state, const std::string& vm);

  // Proposes the move of all that may move now, one command for as many as fit.
  void decide(Decision& decision, const MigrationConductor& migrations);

 private:
  bool waits_for_target(Decision& decision, const MigrationConductor& migrations,
                        const pb::Task* task) const;

  std::set<std::string> orphans_;  // VMs whose owner is not Up
  Time led_since_ = kNever;        // since the first decision after the election
};

}  // namespace failsim
