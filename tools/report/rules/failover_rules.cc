#include "tools/report/rules/failover_rules.h"

#include <algorithm>

namespace failsim::history {

void FailoverRules::take(const ClusterFormed& fact) {
  failovers_.formed(fact.nodes);
  for (std::size_t i = 0; i < std::min(fact.nodes.size(), fact.memory.size()); ++i) {
    failovers_.memory(fact.nodes[i], fact.memory[i]);
  }
}

void FailoverRules::take(const EventApplied& fact) {
  const bool is_gone = standing_.is_first_seen && fact.event->kind() == "vm-deleted";
  if (is_gone) failovers_.deleted(vm_of(*fact.event));
}

}  // namespace failsim::history
