#include "node/transport/peer_links.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <map>
#include <set>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "cluster/wire/frame.h"
#include "node/transport/incoming_link.h"
#include "node/transport/outgoing_link.h"

namespace failsim::node {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{50};  // when the process has no descriptor left

Error unusable(const std::string& address, std::uint16_t port, NodeId node,
               const error_code& failure) {
  return {Code::kInvalidParameter,
          "The address " + address + ":" + std::to_string(port) + " (TCP) of " + node_name(node) +
              " cannot be used: " + failure.message() + ".",
          "Stop the process that uses it, or choose another subnet for the cluster."};
}

class Links final : public PeerLinks {
 public:
  Links(boost::asio::io_context& io, PeerLinksConfig config, Admission& admission)
      : io_(io),
        config_(std::move(config)),
        admission_(admission),
        acceptor_(io),
        accept_pause_(io) {}
  ~Links() override { close(); }

  std::optional<Error> listen() {
    std::map<NodeId, tcp::endpoint> endpoints;
    for (const auto& node : config_.bootstrap.nodes()) {
      error_code failure;
      const auto address = boost::asio::ip::make_address(node.address(), failure);
      if (failure) return unusable(node.address(), config_.port, node.id(), failure);
      endpoints[node.id()] = tcp::endpoint(address, config_.port);
    }
    const tcp::endpoint own = endpoints.at(config_.self);
    if (auto error = bind(own)) return error;
    accept();
    for (const auto& [peer, endpoint] : endpoints) {
      if (peer != config_.self) connect(peer, own, endpoint);
    }
    return std::nullopt;
  }

  void send(const pb::PeerMessage& message) override {
    std::string payload = message.SerializeAsString();
    if (payload.size() > kMaximumPayloadBytes) {
      ++admission_.counters().dropped_oversized;
      return;
    }
    send_frame(message.to(), encode_frame(payload));
  }

  void send_frame(NodeId peer, std::string frame) override {
    const auto link = outgoing_.find(peer);
    assert(link != outgoing_.end());
    link->second->send(std::move(frame));
  }

  void reset(NodeId from, NodeId to) override {
    if (from == config_.self) return outgoing_.at(to)->reset();
    const auto links = incoming_;
    for (const auto& link : links) {
      if (link->peer() == from) link->close();
    }
  }

  void try_now(NodeId peer) override { outgoing_.at(peer)->try_now(); }

  bool is_flushed() const override {
    return std::all_of(outgoing_.begin(), outgoing_.end(),
                       [](const auto& link) { return link.second->is_flushed(); });
  }

  void close() override {
    error_code ignored;  // closing twice is no error
    acceptor_.close(ignored);
    accept_pause_.cancel();
    for (const auto& [peer, link] : outgoing_) link->close();
    const auto links = std::exchange(incoming_, {});
    for (const auto& link : links) link->close();
  }

 private:
  std::optional<Error> bind(const tcp::endpoint& own) {
    error_code failure;
    acceptor_.open(own.protocol(), failure);
    if (!failure) acceptor_.set_option(tcp::acceptor::reuse_address(true), failure);
    if (!failure) acceptor_.bind(own, failure);
    if (!failure) acceptor_.listen(boost::asio::socket_base::max_listen_connections, failure);
    if (!failure) return std::nullopt;
    return unusable(own.address().to_string(), own.port(), config_.self, failure);
  }

  void connect(NodeId peer, const tcp::endpoint& own, const tcp::endpoint& endpoint) {
    OutgoingLink::Config link;
    link.from = tcp::endpoint(own.address(), 0);
    link.to = endpoint;
    link.hello = [this, peer] { return hello(peer); };
    link.changed = [this, peer](bool is_up) { config_.link_changed(peer, is_up); };
    link.first_back_off = config_.first_back_off;
    if (config_.is_passable) {
      link.is_passable = [this, peer] { return config_.is_passable(config_.self, peer); };
    }
    outgoing_[peer] = std::make_shared<OutgoingLink>(io_, std::move(link), admission_.counters());
    outgoing_[peer]->start();
  }

  std::string hello(NodeId peer) const {
    pb::PeerMessage message;
    message.set_version(kWireVersion);
    message.set_cluster_id(config_.bootstrap.cluster_id());
    message.set_recovery_epoch(config_.recovery_epoch());
    message.set_from(config_.self);
    message.set_to(peer);
    message.set_incarnation(config_.incarnation);
    return encode_frame(message.SerializeAsString());
  }

  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (error == boost::asio::error::operation_aborted) return;
      if (error) return accept_later();
      greet(std::move(socket));
      accept();
    });
  }

  void accept_later() {
    accept_pause_.expires_after(kAcceptPause);
    accept_pause_.async_wait([this](const error_code& canceled) {
      if (!canceled) accept();
    });
  }

  void greet(tcp::socket socket) {
    // A link a peer and a few that have not said hello yet; a flood of strangers is turned away.
    if (incoming_.size() >= 4 * outgoing_.size() + 16) return;
    IncomingLink::Config link;
    link.greeted = [this](const auto& greeted) {
      replace_former(greeted);
      outgoing_.at(greeted->peer())->peer_heard();
    };
    link.receive = [this](pb::PeerMessage message) { config_.receive(std::move(message)); };
    link.closed = [this](const auto& closed) { incoming_.erase(closed); };
    if (config_.is_passable) {
      link.is_passable = [this](NodeId peer) { return config_.is_passable(peer, config_.self); };
    }
    const auto incoming =
        std::make_shared<IncomingLink>(std::move(socket), std::move(link), admission_);
    incoming_.insert(incoming);
    incoming->start();
  }

  // A peer that connects anew has given its former connection up, even if that is not seen yet.
  void replace_former(const std::shared_ptr<IncomingLink>& greeted) {
    const auto links = incoming_;
    for (const auto& link : links) {
      if (link != greeted && link->peer() == greeted->peer()) link->close();
    }
  }

  boost::asio::io_context& io_;
  const PeerLinksConfig config_;
  Admission& admission_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_pause_;
  std::map<NodeId, std::shared_ptr<OutgoingLink>> outgoing_;
  std::set<std::shared_ptr<IncomingLink>> incoming_;
};

}  // namespace

Result<std::unique_ptr<PeerLinks>> PeerLinks::open(boost::asio::io_context& io,
                                                   PeerLinksConfig config, Admission& admission) {
  auto links = std::make_unique<Links>(io, std::move(config), admission);
  if (auto error = links->listen()) return *error;
  return std::unique_ptr<PeerLinks>(std::move(links));
}

}  // namespace failsim::node
