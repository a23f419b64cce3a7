// What a cluster of a test is formed with.
#pragma once

#include <cstdint>

#include "cluster/ids.h"
#include "cluster/proto/state.pb.h"

namespace failsim {

// Nodes 1 to `nodes`; the store of node N is 100 + N.
inline pb::Bootstrap formed_of(NodeId nodes, std::uint64_t memory_bytes) {
  pb::Bootstrap bootstrap;
  bootstrap.set_format(1);
  for (NodeId id = 1; id <= nodes; ++id) {
    pb::Bootstrap::Node& node = *bootstrap.add_nodes();
    node.set_id(id);
    node.set_store_id(100 + id);
    node.set_memory_bytes(memory_bytes);
  }
  return bootstrap;
}

}  // namespace failsim
