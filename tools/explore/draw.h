// From a seed to a scenario: swarm testing.
//
// Each seed draws what it is about before it draws the rest: how many nodes, which kinds of faults
// are in its mix and how dense they come, what people do, which moments are lain in wait for. A run
// with few kinds goes deeper than one with all of them. Everything drawn is explicit in the
// scenario; only the seed of the world (delays, losses) is left to chance.
//
// For two thirds of its time the cluster is worked and broken (safety); then faults end, in some
// seeds except those on a minority that stays damaged for good, and the rest has to recover
// (liveness).
//
// A third of the seeds are about sequences instead: short runs in which little else happens.
#pragma once

#include <cstdint>

#include "tools/scenario/scenario.h"

namespace failsim::explore {

scenario::Scenario draw(std::uint64_t seed);

}  // namespace failsim::explore
