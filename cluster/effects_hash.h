// A hash over everything a step wanted done, whatever the compiler, the machine or the encoding.
#pragma once

#include <cstdint>

#include "cluster/effects.h"

namespace failsim {

// Continued from `hash`, so that the hashes of a run are a chain: the first that differs names the
// first step that differed.
std::uint64_t hash_effects(const Effects& effects, std::uint64_t hash);

}  // namespace failsim
