#include "node/transport/peer_links.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "cluster/wire/frame.h"
#include "node/transport/heartbeat_socket.h"
#include "tests/node/transport/loopback_nodes.h"

namespace failsim::node {
namespace {

using boost::asio::ip::tcp;

// Two nodes of one cluster in one event loop, on loopback addresses of their own.
class PeerLinksTest : public testing::Test {
 protected:
  struct Node {
    std::unique_ptr<Admission> admission;
    std::unique_ptr<PeerLinks> links;
    std::vector<std::string> received;  // the VMs of live queries
    bool is_up = false;
  };

  void start(NodeId id) {
    Node& node = nodes_[id];
    node.admission = std::make_unique<Admission>(id, bootstrap_, [] { return 1; });
    PeerLinksConfig config;
    config.self = id;
    config.bootstrap = bootstrap_;
    config.port = port_;
    config.recovery_epoch = [] { return 1; };
    config.receive = [&node](pb::PeerMessage message) {
      node.received.push_back(message.live_query().vm());
    };
    config.first_back_off = first_back_off_;
    config.link_changed = [&node](NodeId, bool is_up) { node.is_up = is_up; };
    auto links = PeerLinks::open(io_, std::move(config), *node.admission);
    ASSERT_TRUE(links.ok()) << links.error().message;
    node.links = links.take();
  }

  void stop(NodeId id) { nodes_.erase(id); }

  pb::PeerMessage query(NodeId from, NodeId to, const std::string& vm) {
    pb::PeerMessage message;
    message.set_version(kWireVersion);
    message.set_cluster_id(bootstrap_.cluster_id());
    message.set_recovery_epoch(1);
    message.set_from(from);
    message.set_to(to);
    message.mutable_live_query()->set_vm(vm);
    return message;
  }

  void wait_until(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      io_.run_one_until(give_up);
    }
  }

  // What a stranger writes to node 1; done when node 1 has closed the connection.
  void intrude(const std::string& bytes) {
    tcp::socket stranger(io_);
    stranger.connect({boost::asio::ip::make_address(bootstrap_.nodes(0).address()), port_});
    boost::asio::write(stranger, boost::asio::buffer(bytes));
    char reply = 0;
    bool is_closed = false;
    stranger.async_read_some(boost::asio::buffer(&reply, 1),
                             [&](const auto& error, std::size_t) { is_closed = error.failed(); });
    wait_until([&] { return is_closed; });
  }

  boost::asio::io_context io_;
  const std::uint16_t port_ = port_of_nodes();
  std::chrono::milliseconds first_back_off_{20};
  const pb::Bootstrap bootstrap_ = two_nodes();
  std::map<NodeId, Node> nodes_;
};

// A node that was away for long comes back: those who had stopped asking for it every moment must
// not be the last to know. (A leader that had lost its other follower stepped down meanwhile.)
TEST_F(PeerLinksTest, APeerThatConnectsIsConnectedToAtOnce) {
  first_back_off_ = std::chrono::hours(1);
  start(1);  // nobody is there yet
  start(2);
  wait_until([this] { return nodes_[2].is_up && nodes_[1].is_up; });
}

TEST_F(PeerLinksTest, MessagesArriveInOrder) {
  start(1);
  start(2);
  std::vector<std::string> sent;
  for (int i = 0; i < 500; ++i) {
    sent.push_back("vm-" + std::to_string(i));
    nodes_[1].links->send(query(1, 2, sent.back()));
  }
  wait_until([&] { return nodes_[2].received.size() == sent.size(); });
  EXPECT_EQ(nodes_[2].received, sent);
  wait_until([&] { return nodes_[1].links->is_flushed(); });
}

TEST_F(PeerLinksTest, APeerThatComesLaterIsFound) {
  start(1);
  EXPECT_FALSE(nodes_[1].is_up);
  start(2);
  wait_until([&] { return nodes_[1].is_up && nodes_[2].is_up; });
}

TEST_F(PeerLinksTest, ALostPeerIsConnectedAgain) {
  start(1);
  start(2);
  wait_until([&] { return nodes_[1].is_up; });
  stop(2);
  wait_until([&] { return !nodes_[1].is_up; });
  EXPECT_EQ(nodes_[1].admission->counters().links_lost, 1u);
  start(2);
  wait_until([&] { return nodes_[1].is_up; });
  nodes_[1].links->send(query(1, 2, "web"));
  wait_until([&] { return !nodes_[2].received.empty(); });
}

TEST_F(PeerLinksTest, WhatWaitsForAPeerThatIsGoneIsBounded) {
  start(1);
  const std::string large(1024 * 1024, 'x');
  for (int i = 0; i < 16; ++i) nodes_[1].links->send(query(1, 2, large));
  EXPECT_GE(nodes_[1].admission->counters().dropped_queue_full, 11u);
}

TEST_F(PeerLinksTest, AStrangerIsCountedAndItsConnectionClosed) {
  start(1);
  pb::PeerMessage hello = query(2, 1, "");
  hello.clear_body();
  hello.set_cluster_id(8);
  intrude(encode_frame(hello.SerializeAsString()));
  EXPECT_EQ(nodes_[1].admission->counters().dropped_foreign_cluster, 1u);
  intrude("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(nodes_[1].admission->counters().dropped_wrong_version, 1u);
  std::string damaged = encode_frame("payload");
  damaged.back() = '!';
  intrude(damaged);
  EXPECT_EQ(nodes_[1].admission->counters().dropped_corrupt, 1u);
}

TEST_F(PeerLinksTest, NobodyIsHeardBeforeItsHello) {
  start(1);
  intrude(encode_frame(query(2, 1, "web").SerializeAsString()));
  EXPECT_TRUE(nodes_[1].received.empty());
}

TEST_F(PeerLinksTest, APortInUseIsNamed) {
  start(1);
  Admission admission(1, bootstrap_, [] { return 1; });
  PeerLinksConfig config;
  config.self = 1;
  config.bootstrap = bootstrap_;
  config.port = port_;
  const auto second = PeerLinks::open(io_, std::move(config), admission);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(
      second.error().message.find(bootstrap_.nodes(0).address() + ":" + std::to_string(port_)),
      std::string::npos);
}

TEST_F(PeerLinksTest, AHeartbeatIsOneDatagram) {
  std::vector<std::uint64_t> heard;
  Admission first(1, bootstrap_, [] { return 1; });
  Admission second(2, bootstrap_, [] { return 1; });
  auto sender = HeartbeatSocket::open(io_, 1, bootstrap_, port_, first, [](pb::PeerMessage) {});
  auto receiver = HeartbeatSocket::open(
      io_, 2, bootstrap_, port_, second,
      [&](pb::PeerMessage message) { heard.push_back(message.heartbeat().sequence()); });
  ASSERT_TRUE(sender.ok());
  ASSERT_TRUE(receiver.ok());
  pb::PeerMessage beat = query(1, 2, "");
  beat.mutable_heartbeat()->set_sequence(9);
  sender.value()->send(beat);
  wait_until([&] { return !heard.empty(); });
  EXPECT_EQ(heard, std::vector<std::uint64_t>{9});
  EXPECT_EQ(second.counters().heartbeats_received, 1u);
}

}  // namespace
}  // namespace failsim::node
