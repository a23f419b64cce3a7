#include "cluster/membership/newest_processes.h"

#include <algorithm>

#include "cluster/membership/process_start.h"
#include "cluster/proto/command.pb.h"

namespace failsim {

NewestProcesses::NewestProcesses(const ClusterState& state) {
  for (const auto& [id, node] : state.nodes()) newest_[id] = node->incarnation();
}

void NewestProcesses::read(const pb::LogEntry& entry) {
  pb::Command command;
  if (entry.command().empty() || !command.ParseFromString(entry.command())) return;
  if (!command.has_node_joined()) return;
  Incarnation& newest = newest_[command.node_joined().node()];
  newest = std::max(newest, command.node_joined().incarnation());
}

bool NewestProcesses::admit(NodeId node, Incarnation process) {
  Incarnation& newest = newest_[node];
  if (is_superseded(process, newest)) return false;
  newest = process;
  return true;
}

}  // namespace failsim
