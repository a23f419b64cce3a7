#include "cluster/member/peers.h"

#include "cluster/wire/frame.h"

namespace failsim {

Peers::Peers(const pb::Bootstrap& bootstrap, NodeId self, Incarnation incarnation,
             const ClusterState& state, const Unwritten& unwritten)
    : cluster_id_(bootstrap.cluster_id()),
      self_(self),
      incarnation_(incarnation),
      state_(state),
      unwritten_(unwritten) {
  for (const auto& node : bootstrap.nodes()) {
    if (node.id() != self) others_.push_back(node.id());
  }
}

pb::PeerMessage Peers::envelope(NodeId to) const {
  pb::PeerMessage message;
  message.set_version(kWireVersion);
  message.set_cluster_id(cluster_id_);
  message.set_recovery_epoch(state_.cluster().recovery_epoch());
  message.set_from(self_);
  message.set_to(to);
  message.set_incarnation(incarnation_);
  message.set_synced(unwritten_.synced());
  return message;
}

bool Peers::accepts(const pb::PeerMessage& message) const {
  if (message.version() != kWireVersion) return false;
  if (message.cluster_id() != cluster_id_) return false;
  if (message.recovery_epoch() < state_.cluster().recovery_epoch()) return false;
  if (message.to() != self_ || message.from() == self_) return false;
  return state_.node(message.from()) != nullptr;
}

}  // namespace failsim
