// L5: the VMs of a node that died execute elsewhere in time.
#pragma once

#include "cluster/crash_invariants.h"
#include "tools/report/rules/standing.h"

namespace failsim::history {

class FailoverRules {
 public:
  explicit FailoverRules(Standing& standing) : standing_(standing) {}

  void time_passes() { failovers_.time_passes(standing_.now, standing_.findings); }

  void take(const ClusterFormed& fact);
  void take(const DetectionTime& fact) { failovers_.detection_time(fact.length); }
  void take(const ProcessStarted& fact) { failovers_.process_started(fact.node); }
  void take(const ProcessEnded& fact) { failovers_.process_ended(fact.node, standing_.now); }
  void take(const ProcessStopped& fact) { failovers_.process_stopped(fact.node); }
  void take(const ProcessContinued& fact) { failovers_.process_continued(fact.node); }
  void take(const EventApplied& fact);
  void take(const VmRow& fact) { failovers_.vm_row(*fact.vm); }
  void take(const Executes& fact) {
    failovers_.executes(fact.vm, fact.node, fact.until, standing_.findings);
  }
  void take(const Stops& fact) { failovers_.stops(fact.vm, fact.node); }
  void take(const FaultInjected& fact) { failovers_.fault_begins(fact.id, fact.nodes); }
  void take(const FaultHealed& fact) { failovers_.fault_ends(fact.id); }
  void take(const LinkChanged& fact) { failovers_.link(fact.from, fact.to, fact.open); }

 private:
  Standing& standing_;
  invariants::Failovers failovers_;
};

}  // namespace failsim::history
