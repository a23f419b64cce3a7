// Who was heard lately: heartbeats in, views out.
//
// A node is silent when none of its beats arrived within the detection time (SameSubnetDelay x
// SameSubnetThreshold). One node's silence is only an opinion: the leader calls a node Down when a
// quorum of the members' views agree (node_watch.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "cluster/ids.h"
#include "cluster/proto/message.pb.h"
#include "cluster/time.h"

namespace failsim {

class FailureDetector {
 public:
  // Every node counts as heard at `now`: silence takes a full detection time to establish.
  FailureDetector(NodeId self, const std::vector<NodeId>& nodes, Time now);

  // Takes a beat unless an equal or newer one of that node came before (a delayed or replayed beat
  // must not keep a dead node alive). Returns whether it was taken.
  bool heard(NodeId node, Incarnation incarnation, const pb::PeerMessage::Heartbeat& beat,
             Time now);
  // This member itself did not run for `gap`: what others failed to say meanwhile proves nothing.
  void forgive(Duration gap);

  bool hears(NodeId node, Time now, Duration detection_time) const;
  // Bit (id - 1) for each node heard, the member itself included.
  std::uint64_t view(Time now, Duration detection_time) const;
  // The newest incarnation a beat named; 0 if none came.
  Incarnation incarnation(NodeId node) const;
  // How many of the members this one hears do not hear `node`. Only `voters`, as bits of a view,
  // are asked, and this member itself.
  std::size_t silent_votes(NodeId node, std::uint64_t voters, Time now,
                           Duration detection_time) const;
  // When the oldest of the beats that still count stops counting; kNever if all are silent.
  Time next_silence(Time now, Duration detection_time) const;

 private:
  struct Peer {
    Time last_heard = 0;
    Incarnation incarnation = 0;
    std::uint64_t sequence = 0;
    std::uint64_t view = ~std::uint64_t{0};  // nobody is silent until it says so
  };

  NodeId self_;
  std::map<NodeId, Peer> peers_;  // without self
};

}  // namespace failsim
