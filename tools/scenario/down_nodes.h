// Faults and actions on a node that is certainly down when their step begins.
#pragma once

#include <vector>

#include "tools/scenario/problem.h"
#include "tools/scenario/scenario.h"

namespace failsim::scenario {

// Follows the named nodes through the steps. A node that a fault ended is back at the latest when
// the lease of the fault is over; it counts as down only as long as the steps since then cannot
// have taken that long.
std::vector<Problem> faults_on_down_nodes(const Scenario& scenario);

}  // namespace failsim::scenario
