#include "tools/report/rules/membership_rules.h"

namespace failsim::history {

void MembershipRules::take(const EventApplied& fact) {
  if (!standing_.is_first_seen) return;
  const pb::EventRecord& event = *fact.event;
  if (event.kind() == "node-state") {
    const pb::EventRecord::Field* to = field(event, "to");
    if (to != nullptr) placements_.node_state(event.node(), to->named().value());
  }
  if (event.kind() == "vm-created") {
    placements_.given(vm_of(event), event.node(), "created", standing_.findings);
  }
  if (event.kind() != "owner") return;
  const pb::EventRecord::Field* reason = field(event, "reason");
  if (reason == nullptr || reason->text() == "live migration") return;
  placements_.given(vm_of(event), event.node(), reason->text(), standing_.findings);
}

void MembershipRules::take(const HandoverStep& fact) {
  if (fact.action.step != handover::Step::kStartMigration) return;
  if (fact.action.process.node == kNoNode) return;  // over in the step that began it
  placements_.given(fact.vm, fact.action.process.node, "target of a migration", standing_.findings);
}

}  // namespace failsim::history
