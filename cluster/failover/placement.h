// Where a VM goes when nobody says: the Up node with room that carries the fewest VMs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "cluster/ids.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

// A plan over one state: each choice counts for the next. O(VMs) to make, O(nodes) a choice.
class Placement {
 public:
  explicit Placement(const ClusterState& state);

  // The node for a VM of this much memory, other than `except` if any other will do; nothing if no
  // Up node has room. Ties go to the lowest node number.
  std::optional<NodeId> place(std::uint64_t memory_bytes, NodeId except = kNoNode);

 private:
  struct Load {
    std::uint64_t memory_free = 0;
    std::uint64_t vms = 0;
  };
  std::map<NodeId, Load> nodes_;
};

}  // namespace failsim
