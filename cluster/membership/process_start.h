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

// Whether a process may no longer speak for its node when `known` has been heard of: a later start
// has replaced it, or it is itself such a start of an older copy of the store. What such a store
// has promised since it was copied it does not remember, so its votes and its acknowledgements
// must not count.
inline bool is_superseded(Incarnation process, Incarnation known) {
  return process != known && start_of(process) <= start_of(known);
}

}  // namespace failsim
