#include "tools/report/rules/record_rules.h"

namespace failsim::history {

void RecordRules::restarted(NodeId replica) {
  events_.restarted(replica);
  transitions_.restarted(replica);
}

void RecordRules::take(const EventApplied& fact) {
  events_.applied(fact.node, *fact.event, standing_.findings);
  transitions_.event(fact.node, *fact.event, standing_.findings);
}

void RecordRules::take(const VmRow& fact) {
  invariants::check_state_of_vm(*fact.vm, standing_.findings);
  transitions_.vm_row(fact.node, *fact.vm, fact.migration_state, standing_.findings);
}

}  // namespace failsim::history
