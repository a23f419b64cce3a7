// Which process of each node this member listens to: the newest it has heard of, in person or from
// the log. Another one is heard only after it has shown that its store goes on from there
// (store_history.h), however often it has started. Heartbeats name the process before the sender's;
// who has heard only of an earlier one asks, and the process shows it or stops.
#pragma once

#include <map>

#include "cluster/ids.h"
#include "cluster/membership/store_history.h"
#include "cluster/proto/message.pb.h"
#include "cluster/proto/raft.pb.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

class KnownProcesses {
 public:
  // Those whose joining is in the state.
  explicit KnownProcesses(const ClusterState& state) { joined(state); }
  // Those of a state that took the place of the former one.
  void joined(const ClusterState& state);
  // An entry of the log, agreed or not: of a process that joins, its leader has listened to it.
  void read(const pb::LogEntry& entry);
  // Whether its sender is listened to. The first process of a node that is heard of is.
  bool hears(const pb::PeerMessage& message) const;
  // The same; if it is, it is known from now on.
  bool take(const pb::PeerMessage& message);
  // The sender is one that this member does not listen to. Whether to ask it now: once in `every`.
  bool asks(const pb::PeerMessage& message, Time now, Duration every);
  // The sender shows what its store goes on from.
  void shown(const pb::PeerMessage& message);
  const KnownProcess& known(NodeId node) { return nodes_[node].known; }

 private:
  struct Node {
    KnownProcess known;
    Incarnation asked = 0;
    Time asked_at = 0;
  };
  void joined(NodeId node, Incarnation process);

  std::map<NodeId, Node> nodes_;
};

}  // namespace failsim
