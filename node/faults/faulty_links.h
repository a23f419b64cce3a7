// The network as it is while faults of links are in force: decorators of the links and of the
// heartbeat socket. They pass on what the switchboard lets pass, when it lets it, on the thread of
// the loop.
#pragma once

#include <functional>
#include <memory>

#include "cluster/ids.h"
#include "node/faults/switchboard.h"
#include "node/transport/heartbeat_socket.h"
#include "node/transport/peer_links.h"

namespace failsim::node {

// Messages of one peer keep their order, whatever delays them; a lost one comes late by a
// retransmission. What is sent while the link is cut is gone. All arguments outlive it.
class FaultyLinks : public PeerLinks {
 public:
  static std::unique_ptr<FaultyLinks> around(std::unique_ptr<PeerLinks> links, NodeId self,
                                             const pb::Bootstrap& bootstrap,
                                             boost::asio::io_context& io, Switchboard& switchboard);
  // To be called when a fault has begun or ended: connections of a cut link break, what was held
  // goes on its way.
  virtual void faults_changed() = 0;
};

// Heartbeats may also be lost, doubled and overtaken.
class FaultyHeartbeats : public HeartbeatSocket {
 public:
  static std::unique_ptr<FaultyHeartbeats> around(std::unique_ptr<HeartbeatSocket> socket,
                                                  NodeId self, boost::asio::io_context& io,
                                                  Switchboard& switchboard);
  virtual void faults_changed() = 0;
};

}  // namespace failsim::node
