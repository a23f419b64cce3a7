// Scenarios that are a little less than another one: what a minimiser tries.
#pragma once

#include <vector>

#include "tools/scenario/scenario.h"

namespace failsim::explore {

// Without a VM, without writers, with fewer nodes, with links and settings as they are by default;
// the largest change first.
std::vector<scenario::Scenario> smaller_clusters(const scenario::Scenario& scenario);

// With one lease, parameter, delay, repetition or option nearer to its least, or one time rounder.
// Taking one of them leaves strictly fewer: repeated taking ends.
std::vector<scenario::Scenario> weakenings(const scenario::Scenario& scenario);

}  // namespace failsim::explore
