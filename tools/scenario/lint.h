// What can be known to be wrong with a scenario before it starts: names that do not exist, times
// that go backwards, expectations that contradict each other, faults on a node that is down,
// faults that the other world cannot perform.
#pragma once

#include <vector>

#include "tools/scenario/problem.h"
#include "tools/scenario/scenario.h"

namespace failsim::scenario {

// In the order of the steps; empty: the scenario may be started.
std::vector<Problem> lint(const Scenario& scenario);

}  // namespace failsim::scenario
