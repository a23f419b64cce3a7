#include "tools/report/rules/guest_rules.h"

#include <map>
#include <string>

namespace failsim::history {

void GuestRules::take(const ProcessEnded& fact) {
  executions_.node_died(fact.node, standing_.now);
  quorum_contact_.died(fact.node, standing_.now, standing_.of_clocks());
}

void GuestRules::take(const LinkChanged& fact) {
  quorum_contact_.link(fact.from, fact.to, fact.open, standing_.now, standing_.of_clocks());
}

void GuestRules::take(const Executes& fact) {
  executions_.executes(fact.vm, fact.node, standing_.now, fact.until, standing_.of_clocks());
  quorum_contact_.executes(fact.vm, fact.node, fact.until, standing_.of_clocks());
}

void GuestRules::take(const Stops& fact) {
  executions_.stops(fact.vm, fact.node, standing_.now);
  quorum_contact_.stops(fact.vm, fact.node, standing_.now);
}

void GuestRules::take(const VolumeRecord& fact) {
  journals_.record(fact.vm, fact.epoch, fact.counter, fact.node, fact.writer, standing_.findings);
}

void GuestRules::take(const HandoverStep& fact) {
  // Of a post-copy the state, whose pages follow: which of the two the owner needed, the rule
  // "handover" knows.
  const handover::Step step = fact.action.step;
  if (step != handover::Step::kHoldAll && step != handover::Step::kHoldState) return;
  images_.held(fact.action.process.node, fact.action.process.incarnation, fact.action.job);
}

void GuestRules::take(const Held& fact) {
  std::map<std::string, pb::Vm> vms;
  for (const RowPtr<pb::Vm>& vm : fact.vms) vms.emplace(vm->name(), *vm);
  invariants::check_leaks(fact.holdings, vms, {fact.in_flight.begin(), fact.in_flight.end()},
                          standing_.findings);
}

}  // namespace failsim::history
