// The other members, as this one writes to them and listens to them: every message names the wire
// version, the cluster, its recovery epoch, and the process that sends it.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/ids.h"
#include "cluster/member/unwritten.h"
#include "cluster/proto/message.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

class Peers {
 public:
  // `state` gives the recovery epoch and the members, `unwritten` how much is synced; both outlive
  // this object.
  Peers(const pb::Bootstrap& bootstrap, NodeId self, Incarnation incarnation,
        const ClusterState& state, const Unwritten& unwritten);

  const std::vector<NodeId>& others() const { return others_; }
  // A message of this process without a body.
  pb::PeerMessage envelope(NodeId to) const;
  // Whether it is from another member, for this one, of this version and this cluster as it was
  // last recovered. Which of a node's processes it is from is not asked (known_processes.h).
  bool accepts(const pb::PeerMessage& message) const;

 private:
  const std::uint64_t cluster_id_;
  const NodeId self_;
  const Incarnation incarnation_;
  const ClusterState& state_;
  const Unwritten& unwritten_;
  std::vector<NodeId> others_;
};

}  // namespace failsim
