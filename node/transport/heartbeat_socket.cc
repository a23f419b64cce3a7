#include "node/transport/heartbeat_socket.h"

#include <array>
#include <map>
#include <string>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include "cluster/wire/frame.h"

namespace failsim::node {
namespace {

using boost::asio::ip::udp;
using boost::system::error_code;

class Socket final : public HeartbeatSocket {
 public:
  Socket(boost::asio::io_context& io, Admission& admission, Receive receive)
      : socket_(io), admission_(admission), receive_(std::move(receive)) {}

  std::optional<Error> bind(NodeId self, const pb::Bootstrap& bootstrap, std::uint16_t port) {
    for (const auto& node : bootstrap.nodes()) {
      error_code failure;
      const auto address = boost::asio::ip::make_address(node.address(), failure);
      const udp::endpoint endpoint(address, port);
      if (!failure && node.id() == self) {
        socket_.open(endpoint.protocol(), failure);
        if (!failure) socket_.non_blocking(true, failure);
        if (!failure) socket_.bind(endpoint, failure);
      }
      if (failure) {
        return Error{Code::kInvalidParameter,
                     "The heartbeat address " + node.address() + ":" + std::to_string(port) +
                         " (UDP) of " + node_name(node.id()) +
                         " cannot be used: " + failure.message() + ".",
                     "Stop the process that uses it, or choose another subnet for the cluster."};
      }
      peers_[node.id()] = endpoint;
    }
    receive();
    return std::nullopt;
  }

  void send(const pb::PeerMessage& heartbeat) override {
    send_frame(heartbeat.to(), encode_frame(heartbeat.SerializeAsString()));
  }

  void send_frame(NodeId peer, const std::string& frame) override {
    const auto to = peers_.find(peer);
    if (to == peers_.end()) return;
    error_code failure;
    socket_.send_to(boost::asio::buffer(frame), to->second, 0, failure);
    // Loss is what datagrams do; a beat that did not leave is one more lost beat.
    if (!failure) ++admission_.counters().heartbeats_sent;
  }

  void close() override {
    error_code failure;
    socket_.close(failure);
  }

 private:
  void receive() {
    socket_.async_receive_from(
        boost::asio::buffer(buffer_), sender_, [this](const error_code& failure, std::size_t size) {
          if (failure == boost::asio::error::operation_aborted) return;
          // Other errors are a peer's closed port reported late; the socket stays good.
          if (!failure) {
            if (auto message = admission_.admit_datagram({buffer_.data(), size})) {
              receive_(std::move(*message));
            }
          }
          receive();
        });
  }

  udp::socket socket_;
  Admission& admission_;
  Receive receive_;
  std::map<NodeId, udp::endpoint> peers_;
  udp::endpoint sender_;
  std::array<char, 2048> buffer_;
};

}  // namespace

Result<std::unique_ptr<HeartbeatSocket>> HeartbeatSocket::open(
    boost::asio::io_context& io, NodeId self, const pb::Bootstrap& bootstrap, std::uint16_t port,
    Admission& admission, Receive receive) {
  auto socket = std::make_unique<Socket>(io, admission, std::move(receive));
  if (auto error = socket->bind(self, bootstrap, port)) return *error;
  return std::unique_ptr<HeartbeatSocket>(std::move(socket));
}

}  // namespace failsim::node
