// Expectations that no cluster can meet because they contradict each other.
#pragma once

#include <vector>

#include "tools/scenario/problem.h"
#include "tools/scenario/scenario.h"

namespace failsim::scenario {

// Of steps with no time between them, and of a step with its own trigger.
std::vector<Problem> contradictions(const Scenario& scenario);

}  // namespace failsim::scenario
