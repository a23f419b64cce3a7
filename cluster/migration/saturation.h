// How much of something is touched by writes that fall anywhere in it: a place written twice counts
// once, so the part that is touched saturates.
#pragma once

#include <cstdint>

#include "cluster/wide.h"

namespace failsim {

inline constexpr unsigned kFractionBits = 62;

// 1 - e^-(written / size), as a multiple of 2^-kFractionBits. `size` is not 0, and `written` below
// 2^96.
std::uint64_t covered_fraction(Wide written, std::uint64_t size);

}  // namespace failsim
