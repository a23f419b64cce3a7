// Products of bytes and nanoseconds do not fit 64 bits.
#pragma once

#include <cstdint>
#include <limits>

namespace failsim {

__extension__ typedef unsigned __int128 Wide;

// `value`, or the largest number there is if it does not fit.
inline std::uint64_t saturate(Wide value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  return value > kMost ? kMost : static_cast<std::uint64_t>(value);
}

}  // namespace failsim
