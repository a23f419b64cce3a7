// S1, S2, S10, S11, S12, S14, S15: where guests execute, what is in their memory and on their
// disks.
#pragma once

#include "cluster/crash_invariants.h"
#include "cluster/invariants.h"
#include "tools/report/rules/standing.h"

namespace failsim::history {

class GuestRules {
 public:
  explicit GuestRules(Standing& standing) : standing_(standing) {}

  void take(const ClusterFormed& fact) { quorum_contact_.formed(fact.nodes); }
  void take(const DetectionTime& fact) { quorum_contact_.lease_length(fact.length); }
  void take(const ProcessStarted& fact) { runs(fact.node, true); }
  void take(const ProcessEnded& fact);
  void take(const ProcessStopped& fact) { runs(fact.node, false); }
  void take(const ProcessContinued& fact) { runs(fact.node, true); }
  void take(const LinkChanged& fact);
  void take(const Executes& fact);
  void take(const Stops& fact);
  void take(const GuestBegins& fact) {
    journals_.begins(fact.vm, fact.node, fact.counter, standing_.findings);
  }
  void take(const VolumeRecord& fact);
  void take(const HandoverStep& fact);
  void take(const ImageOrdered& fact) {
    images_.ordered(fact.vm, fact.node, fact.incarnation, fact.job, standing_.findings);
  }
  void take(const ImageVerified& fact) {
    invariants::check_digest(fact.vm, fact.job, fact.match, standing_.findings);
  }
  void take(const MemoryUsed& fact) {
    invariants::check_memory(fact.node, fact.used, fact.memory, standing_.findings);
  }
  void take(const Held& fact);

 private:
  void runs(NodeId node, bool runs) {
    quorum_contact_.runs(node, runs, standing_.now, standing_.of_clocks());
  }

  Standing& standing_;
  invariants::Executions executions_;
  invariants::QuorumContact quorum_contact_;
  invariants::Journals journals_;
  invariants::Images images_;
};

}  // namespace failsim::history
