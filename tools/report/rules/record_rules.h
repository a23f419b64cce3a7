// S16, S21, S22, S23: what people are told, and how processes end.
#pragma once

#include "cluster/invariants.h"
#include "cluster/record_invariants.h"
#include "tools/report/rules/standing.h"

namespace failsim::history {

class RecordRules {
 public:
  explicit RecordRules(Standing& standing) : standing_(standing) {}

  void take(const ProcessStarted& fact) { restarted(fact.node); }
  void take(const RowsReplaced& fact) { restarted(fact.node); }
  void take(const EventApplied& fact);
  void take(const VmRow& fact);
  void take(const NodeRow& fact) {
    transitions_.node_row(fact.node, *fact.row, standing_.findings);
  }
  void take(const DamagedFrame& fact) {
    invariants::check_damaged_frame(fact.from, fact.to, fact.is_accepted, standing_.findings);
  }
  void take(const ProcessEnded& fact) {
    invariants::check_process(fact.node, "", standing_.findings);
  }
  void take(const Complaint& fact) {
    invariants::check_process(fact.node, fact.text, standing_.findings);
  }

 private:
  void restarted(NodeId replica);

  Standing& standing_;
  invariants::Events events_;
  invariants::Transitions transitions_;
};

}  // namespace failsim::history
