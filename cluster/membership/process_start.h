// What the incarnation of a process says: which start of its node's store it is, and which process
// that was. The first half comes from the store and is synced before the process speaks, so no two
// processes of one store ever have the same, unless the store was copied or put back.
#pragma once

#include <cstdint>

#include "cluster/ids.h"

namespace failsim {

inline std::uint64_t start_of(Incarnation incarnation) {
  return incarnation >> 32;
}

inline std::uint32_t instance_of(Incarnation incarnation) {
  return static_cast<std::uint32_t>(incarnation & 0xffffffff);
}

}  // namespace failsim
