// Heartbeats: one datagram each, on a socket of their own, so that nothing ever waits before them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/proto/message.pb.h"
#include "cluster/proto/state.pb.h"
#include "node/transport/admission.h"

namespace boost::asio {
class io_context;
}

namespace failsim::node {

class HeartbeatSocket {
 public:
  using Receive = std::function<void(pb::PeerMessage)>;

  // Binds the address the bootstrap gives this node; an error names address and port. `admission`
  // outlives the socket.
  static Result<std::unique_ptr<HeartbeatSocket>> open(boost::asio::io_context& io, NodeId self,
                                                       const pb::Bootstrap& bootstrap,
                                                       std::uint16_t port, Admission& admission,
                                                       Receive receive);
  virtual ~HeartbeatSocket() = default;

  // Sends at once or not at all: a beat that cannot leave now is worth nothing later.
  virtual void send(const pb::PeerMessage& heartbeat) = 0;
  // The same for a heartbeat in its envelope already (frame.h).
  virtual void send_frame(NodeId peer, const std::string& frame) = 0;
  virtual void close() = 0;
};

}  // namespace failsim::node
