#include "node/transport/admission.h"

#include <algorithm>
#include <utility>

#include "node/runtime/log.h"

namespace failsim::node {

void TransportCounters::count(FrameFault fault) {
  switch (fault) {
    case FrameFault::kNone:
      return;
    case FrameFault::kOversized:
      ++dropped_oversized;
      return;
    case FrameFault::kWrongVersion:
      ++dropped_wrong_version;
      return;
    case FrameFault::kCorrupt:
      ++dropped_corrupt;
      return;
  }
}

Admission::Admission(NodeId self, const pb::Bootstrap& bootstrap,
                     std::function<std::uint64_t()> recovery_epoch)
    : self_(self), bootstrap_(bootstrap), recovery_epoch_(std::move(recovery_epoch)) {}

std::optional<pb::PeerMessage> Admission::admit(std::string_view payload, Channel channel) {
  pb::PeerMessage message;
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    ++counters_.dropped_corrupt;
    return std::nullopt;
  }
  if (std::uint64_t* const counter = refusal(message, channel)) {
    ++*counter;
    return std::nullopt;
  }
  ++(channel == Channel::kLink ? counters_.frames_received : counters_.heartbeats_received);
  return message;
}

std::optional<pb::PeerMessage> Admission::admit_datagram(std::string_view datagram) {
  FrameFault fault = FrameFault::kNone;
  const auto payload = decode_datagram(datagram, fault);
  counters_.count(fault);
  return payload ? admit(*payload, Channel::kDatagram) : std::nullopt;
}

// Once of each node: it may go on for long.
void Admission::tell_version(NodeId node, std::uint32_t version) {
  if (!told_.insert(node).second) return;
  log(Level::kWarning, "version-refused: " + node_name(node) + " speaks version " +
                           std::to_string(version) + " of the protocol, this node " +
                           std::to_string(kWireVersion) +
                           ": it is not heard; run the same version on all nodes");
}

std::uint64_t* Admission::refusal(const pb::PeerMessage& message, Channel channel) {
  if (message.version() != kWireVersion) {
    tell_version(message.from(), message.version());
    return &counters_.dropped_wrong_version;
  }
  if (message.cluster_id() != bootstrap_.cluster_id()) return &counters_.dropped_foreign_cluster;
  if (message.recovery_epoch() < recovery_epoch_()) return &counters_.dropped_old_epoch;
  const bool is_member = std::any_of(bootstrap_.nodes().begin(), bootstrap_.nodes().end(),
                                     [&](const auto& node) { return node.id() == message.from(); });
  if (!is_member || message.from() == self_ || message.to() != self_) {
    return &counters_.dropped_misaddressed;
  }
  const bool is_heartbeat = message.body_case() == pb::PeerMessage::kHeartbeat;
  if (is_heartbeat != (channel == Channel::kDatagram)) return &counters_.dropped_misaddressed;
  return nullptr;
}

}  // namespace failsim::node
