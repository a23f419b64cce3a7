#include "cluster/failover/placement.h"

#include <algorithm>

namespace failsim {

Placement::Placement(const ClusterState& state) {
  for (const auto& [id, node] : state.nodes()) {
    if (node->state() == pb::NODE_UP) nodes_[id].memory_free = node->memory_bytes();
  }
  const auto take = [&](NodeId node, std::uint64_t bytes) {
    const auto load = nodes_.find(node);
    if (load == nodes_.end()) return;
    load->second.memory_free -= std::min(load->second.memory_free, bytes);
    ++load->second.vms;
  };
  for (const auto& [name, vm] : state.vms()) {
    const std::uint64_t memory = vm->config().memory_bytes();
    // The guests of a former process of the node are gone: they hold nothing of what is placed now.
    const pb::Node* owner = state.node(vm->owner());
    const bool held = owner != nullptr && owner->incarnation() == vm->owner_incarnation();
    if (held) take(vm->owner(), vm->want() == pb::GUEST_ABSENT ? 0 : memory);
    const pb::Task* job = state.job_of(*vm);
    if (job != nullptr && job->job().target() != vm->owner()) take(job->job().target(), memory);
  }
}

std::optional<NodeId> Placement::place(std::uint64_t memory_bytes, NodeId except) {
  auto best = nodes_.end();
  for (auto node = nodes_.begin(); node != nodes_.end(); ++node) {
    if (node->second.memory_free < memory_bytes) continue;
    const bool better = best == nodes_.end() || best->first == except ||
                        (node->first != except && node->second.vms < best->second.vms);
    if (better) best = node;
  }
  if (best == nodes_.end()) return std::nullopt;
  best->second.memory_free -= memory_bytes;
  ++best->second.vms;
  return best->first;
}

}  // namespace failsim
