// handover: the steps an ownership takes, of a run whose clocks are bounded.
#pragma once

#include "cluster/migration/handover_trace.h"
#include "tools/report/rules/standing.h"

namespace failsim::history {

class HandoverRules {
 public:
  explicit HandoverRules(Standing& standing) : standing_(standing), trace_(standing.findings) {}

  void take(const EventApplied& fact);
  void take(const LeaseLasts& fact);
  void take(const ProcessEnded& fact) { gone({fact.node, fact.incarnation}); }
  void take(const GuestsStopped& fact) { gone(fact.process); }
  void take(const Executes& fact);
  void take(const Stops& fact);
  void take(const VolumeRecord& fact);
  void take(const OwnershipBegan& fact);
  void take(const HandoverStep& fact) { step(fact.vm, fact.action); }
  void take(const TraceExpected& fact);

  const invariants::HandoverTrace& trace() const { return trace_; }

 private:
  bool is_judged() const { return standing_.clocks_are_bounded; }
  void gone(const handover::Process& process);
  void step(const std::string& vm, const handover::Action& action);

  Standing& standing_;
  invariants::HandoverTrace trace_;
};

}  // namespace failsim::history
