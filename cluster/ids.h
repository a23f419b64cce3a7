// The names of things. Each is a plain value: compared, ordered and printed, never computed with.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace failsim {

// A node of the cluster: 1..64, shown as "node-<id>". 0 means "no node".
using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0;

// Random identity of a store, drawn once when it is formatted. A voter is (node, store id): a store
// formatted anew is another voter and its votes do not count.
using StoreId = std::uint64_t;

// Random identity of one process start. Ownership of a VM binds to (node, incarnation): a restarted
// process inherits nothing.
using Incarnation = std::uint64_t;

// A task or migration job: counted in the replicated state, 1, 2, 3 ... 0 means "none".
using TaskId = std::uint64_t;

// Position in the replicated log; the first entry is 1, 0 means "before the log".
using Index = std::uint64_t;

// Election term; 0 before the first election.
using Term = std::uint64_t;

// The right to run a VM. Compared lexicographically: forcing a quorum, restoring a backup or
// re-creating the cluster raises `recovery`, every other grant raises `counter`.
struct Epoch {
  std::uint64_t recovery = 0;
  std::uint64_t counter = 0;
  auto operator<=>(const Epoch&) const = default;
};

inline std::string node_name(NodeId id) {
  return "node-" + std::to_string(id);
}

inline std::string to_string(const Epoch& epoch) {
  return std::to_string(epoch.recovery) + "." + std::to_string(epoch.counter);
}

}  // namespace failsim
