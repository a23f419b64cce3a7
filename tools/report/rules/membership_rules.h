// S17, S19, L7: who is a member, who is called Down, and who is given work.
#pragma once

#include "cluster/membership_invariants.h"
#include "tools/report/rules/standing.h"

namespace failsim::history {

class MembershipRules {
 public:
  explicit MembershipRules(Standing& standing) : standing_(standing) {}

  void take(const ClusterFormed& fact) { silences_.formed(fact.nodes.size()); }
  void take(const DetectionTime& fact) { silences_.detection_time(fact.node, fact.length); }
  void take(const DiskReplaced& fact) { silences_.replaced(fact.node); }
  void take(const Unheard& fact) {
    silences_.unheard(fact.node, fact.of, fact.since, standing_.now);
  }
  void take(const CalledSilent& fact) {
    silences_.called_down(fact.leader, fact.node, standing_.now, standing_.of_clocks());
  }
  void take(const ProcessStarted& fact) { incarnations_.restarted(fact.node); }
  void take(const RowsReplaced& fact) { incarnations_.restarted(fact.node); }
  void take(const NodeRow& fact) {
    incarnations_.node_row(fact.node, *fact.row, standing_.findings);
  }
  void take(const EventApplied& fact);
  void take(const HandoverStep& fact);
  void take(const Leads& fact) {
    settling_.leads(fact.node, fact.term, standing_.now, standing_.findings);
  }
  void take(const FaultsEnded&) { settling_.faults_ended(standing_.now, standing_.findings); }
  void take(const FaultInjected&) { settling_.fault_begins(); }

 private:
  Standing& standing_;
  invariants::Placements placements_;
  invariants::Silences silences_;
  invariants::Incarnations incarnations_;
  invariants::Settling settling_;
};

}  // namespace failsim::history
