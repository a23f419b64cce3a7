// Which of several processes of a node may speak for it: the newest that was ever heard of.
//
// A process is heard of when it speaks, when the state names it, and from the moment its joining is
// in the log, committed or not: the leader that wrote this has heard it. What an older one says is
// only late, or it comes from an older copy of the node's store, which does not know what it has
// promised (process_start.h).
#pragma once

#include <map>

#include "cluster/ids.h"
#include "cluster/proto/raft.pb.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

class NewestProcesses {
 public:
  // Those that the state names.
  explicit NewestProcesses(const ClusterState& state);

  // An entry of the log, of which another process of a node may be heard.
  void read(const pb::LogEntry& entry);
  // This process speaks for the node. Returns whether it may; then it is the newest.
  bool admit(NodeId node, Incarnation process);

 private:
  std::map<NodeId, Incarnation> newest_;
};

}  // namespace failsim
