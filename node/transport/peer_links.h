// The reliable links to the other nodes: to each peer one outgoing connection, used for sending
// only, and from each peer one incoming connection, used for receiving only.
//
// The first frame of a connection is a hello: a PeerMessage without a body. Messages to one peer
// arrive in the order they were sent, each at most once; a lost connection loses what was under
// way. A link that is down keeps what is at most a second old, so that a reconnect loses little and
// nothing stale is ever delivered.
//
// Everything happens on the thread that runs the io_context.
#pragma once

#include <chrono>
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

struct PeerLinksConfig {
  NodeId self = kNoNode;
  Incarnation incarnation = 0;
  pb::Bootstrap bootstrap;
  std::uint16_t port = 3343;
  // Until a connection that failed is tried again; doubled by each failure, up to a second. A peer
  // that connects by itself is answered at once, whatever this says.
  std::chrono::milliseconds first_back_off{20};
  std::function<std::uint64_t()> recovery_epoch;
  std::function<void(pb::PeerMessage)> receive;               // admitted messages
  std::function<void(NodeId peer, bool is_up)> link_changed;  // of the outgoing connections
  // Whether a connection of this direction may be made now. For faults; empty: it always may.
  std::function<bool(NodeId from, NodeId to)> is_passable;
};

class PeerLinks {
 public:
  // Listens on the address the bootstrap gives this node; an error names address and port.
  // `admission` outlives the links.
  static Result<std::unique_ptr<PeerLinks>> open(boost::asio::io_context& io,
                                                 PeerLinksConfig config, Admission& admission);
  virtual ~PeerLinks() = default;

  // Queues the message for message.to(), which must be another node of the cluster.
  virtual void send(const pb::PeerMessage& message) = 0;
  // The same for a message in its envelope already (frame.h).
  virtual void send_frame(NodeId peer, std::string frame) = 0;
  // Breaks the connection of one direction between this node and another. For faults.
  virtual void reset(NodeId from, NodeId to) = 0;
  // The way to the peer is free again: a connection that waits to be tried again is tried now. For
  // faults.
  virtual void try_now(NodeId peer) = 0;
  // Nothing is queued or half written on any link that is up.
  virtual bool is_flushed() const = 0;
  virtual void close() = 0;
};

}  // namespace failsim::node
