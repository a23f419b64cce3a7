#include "cluster/membership/known_processes.h"

#include <algorithm>

#include "cluster/proto/command.pb.h"

namespace failsim {

void KnownProcesses::joined(const ClusterState& state) {
  for (const auto& [id, node] : state.nodes()) joined(id, node->incarnation());
}

void KnownProcesses::read(const pb::LogEntry& entry) {
  pb::Command command;
  if (entry.command().empty() || !command.ParseFromString(entry.command())) return;
  if (!command.has_node_joined()) return;
  joined(command.node_joined().node(), command.node_joined().incarnation());
}

// A log that is read late names processes that have been replaced since.
void KnownProcesses::joined(NodeId node, Incarnation process) {
  KnownProcess& known = nodes_[node].known;
  if (process == known.process || start_of(process) < start_of(known.process)) return;
  known = {process, 0};
}

bool KnownProcesses::hears(const pb::PeerMessage& message) const {
  const auto found = nodes_.find(message.from());
  if (found == nodes_.end() || found->second.known.process == 0) return true;
  const KnownProcess& known = found->second.known;
  if (known.process == message.incarnation()) return true;
  const pb::PeerMessage::KnownProcess& former = message.heartbeat().former();
  return former.incarnation() == known.process && former.synced() >= known.synced;
}

bool KnownProcesses::take(const pb::PeerMessage& message) {
  if (!hears(message)) return false;
  KnownProcess& known = nodes_[message.from()].known;
  if (known.process != message.incarnation()) known = {message.incarnation(), 0};
  known.synced = std::max<std::uint64_t>(known.synced, message.synced());
  return true;
}

bool KnownProcesses::asks(const pb::PeerMessage& message, Time now, Duration every) {
  Node& node = nodes_[message.from()];
  if (node.asked == message.incarnation() && now < node.asked_at + every) return false;
  node.asked = message.incarnation();
  node.asked_at = now;
  return true;
}

void KnownProcesses::shown(const pb::PeerMessage& message) {
  KnownProcess& known = nodes_[message.from()].known;
  const pb::PeerMessage::GoesOnFrom& from = message.goes_on_from();
  // Of what was asked before something newer was heard it proves nothing.
  if (from.incarnation() != known.process || from.synced() < known.synced) return;
  known = {message.incarnation(), message.synced()};
}

}  // namespace failsim
