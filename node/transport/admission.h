// Who may speak to this node: the checks every frame and datagram passes before the core sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string_view>

#include "cluster/ids.h"
#include "cluster/proto/message.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/wire/frame.h"

namespace failsim::node {

// What arrived, left and was dropped, each counted once, by its reason. Shown by the node's API.
struct TransportCounters {
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t heartbeats_sent = 0;
  std::uint64_t heartbeats_received = 0;
  std::uint64_t dropped_oversized = 0;
  std::uint64_t dropped_wrong_version = 0;
  std::uint64_t dropped_corrupt = 0;
  std::uint64_t dropped_foreign_cluster = 0;
  std::uint64_t dropped_old_epoch = 0;
  std::uint64_t dropped_misaddressed = 0;  // of an unknown sender, or for another node
  std::uint64_t dropped_queue_full = 0;    // to a peer that takes nothing, or takes too slowly
  std::uint64_t links_lost = 0;

  void count(FrameFault fault);
};

enum class Channel { kLink, kDatagram };

class Admission {
 public:
  // `recovery_epoch` gives the epoch in force on this node when it is asked.
  Admission(NodeId self, const pb::Bootstrap& bootstrap,
            std::function<std::uint64_t()> recovery_epoch);

  // The message of a payload that may enter by this channel; otherwise nothing, and the reason is
  // counted. Heartbeats travel as datagrams only, and everything else never does.
  std::optional<pb::PeerMessage> admit(std::string_view payload, Channel channel);
  std::optional<pb::PeerMessage> admit_datagram(std::string_view datagram);

  TransportCounters& counters() { return counters_; }
  const TransportCounters& counters() const { return counters_; }

 private:
  void tell_version(NodeId node, std::uint32_t version);
  std::uint64_t* refusal(const pb::PeerMessage& message, Channel channel);

  NodeId self_;
  pb::Bootstrap bootstrap_;
  std::function<std::uint64_t()> recovery_epoch_;
  TransportCounters counters_;
  std::set<NodeId> told_;  // that they speak another version
};

}  // namespace failsim::node
