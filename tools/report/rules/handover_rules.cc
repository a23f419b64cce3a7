#include "tools/report/rules/handover_rules.h"

namespace failsim::history {

void HandoverRules::take(const EventApplied& fact) {
  const bool is_gone = standing_.is_first_seen && fact.event->kind() == "vm-deleted";
  if (is_gone && is_judged()) trace_.deleted(vm_of(*fact.event), standing_.now);
}

void HandoverRules::take(const LeaseLasts& fact) {
  if (is_judged()) trace_.leased(fact.process, fact.until);
}

void HandoverRules::gone(const handover::Process& process) {
  if (is_judged()) trace_.gone(process, standing_.now);
}

void HandoverRules::take(const Executes& fact) {
  if (!is_judged()) return;
  trace_.executes(fact.vm, {fact.node, fact.incarnation}, fact.epoch, standing_.now, fact.until);
}

void HandoverRules::take(const Stops& fact) {
  if (is_judged()) trace_.stops(fact.vm, {fact.node, fact.incarnation}, standing_.now);
}

void HandoverRules::take(const VolumeRecord& fact) {
  handover::Action action;
  action.step = fact.counter > 0 ? handover::Step::kWrite : handover::Step::kRegister;
  action.process = {fact.node, fact.writer};
  action.epoch = fact.epoch;
  step(fact.vm, action);
}

void HandoverRules::step(const std::string& vm, const handover::Action& action) {
  if (is_judged()) trace_.takes(vm, action, standing_.now);
}

void HandoverRules::take(const OwnershipBegan& fact) {
  if (is_judged()) trace_.created(fact.vm, fact.owner, fact.epoch);
}

void HandoverRules::take(const TraceExpected& fact) {
  if (is_judged()) trace_.expect_trace(fact.vm, fact.runs);
}

}  // namespace failsim::history
