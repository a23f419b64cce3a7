// Real packets through the network of a cluster: what rules and queues do to them. Needs root.
#include "tools/failsim/cluster_network.h"

#include <chrono>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/fault/order.h"

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kSoonMs = 10'000;
constexpr int kAMomentMs = 300;  // longer than the first retransmission

class ClusterNetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto error = ClusterNetwork::try_out()) GTEST_SKIP() << error->message;
    Result<ClusterNetwork> built = ClusterNetwork::build(description_);
    ASSERT_TRUE(built) << built.error().message;
    network_.emplace(built.take());
  }

  static sockaddr_in endpoint(const std::string& address, std::uint16_t port) {
    sockaddr_in there = {};
    there.sin_family = AF_INET;
    there.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &there.sin_addr);
    return there;
  }
  // A socket of that process, bound to its address.
  FileDescriptor socket_of(NodeId node, int type, std::uint16_t port) {
    FileDescriptor made;
    network_->of(port_of(node)).inside([&] {
      made = FileDescriptor(::socket(AF_INET, type, 0));
      const sockaddr_in own = endpoint(description_.node_address(node), port);
      EXPECT_EQ(::bind(made.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
    });
    return made;
  }
  // A connection from node-1 to the port of node-2.
  void connect(std::uint16_t port) {
    const FileDescriptor listener = socket_of(2, SOCK_STREAM, port);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    sender_ = socket_of(1, SOCK_STREAM, 0);
    const sockaddr_in there = endpoint(description_.node_address(2), port);
    ASSERT_EQ(::connect(sender_.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there), 0);
    receiver_ = FileDescriptor(::accept(listener.get(), nullptr, nullptr));
    ASSERT_GE(receiver_.get(), 0);
  }
  void send(const std::string& bytes) {
    ASSERT_EQ(::send(sender_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // What arrives within the time; empty if nothing does.
  static std::string receive(const FileDescriptor& socket, int at_most_ms) {
    pollfd waiting{socket.get(), POLLIN, 0};
    if (::poll(&waiting, 1, at_most_ms) <= 0) return "";
    std::string bytes(64 * 1024, '\0');
    const ssize_t got = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    EXPECT_GE(got, 0) << "the connection broke";
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  void treat(const std::vector<std::string>& orders) {
    PacketTreatments treatments;
    for (const std::string& line : orders) {
      const auto error = add_order(treatments, fault::parse_order(line).value(), 2);
      ASSERT_FALSE(error) << error->message;
    }
    const auto error = network_->treat(treatments);
    ASSERT_FALSE(error) << error->message;
  }

  const ClusterDescription description_{"lab", "127.70.5", 2, 0, 0};
  std::optional<ClusterNetwork> network_;
  FileDescriptor sender_;
  FileDescriptor receiver_;
};

TEST_F(ClusterNetworkTest, NothingOfItIsInTheNamespaceOfTheHost) {
  const FileDescriptor outside(::socket(AF_INET, SOCK_STREAM, 0));
  const FileDescriptor listener = socket_of(2, SOCK_STREAM, kPeerPort);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const sockaddr_in there = endpoint(description_.node_address(2), kPeerPort);
  EXPECT_NE(::connect(outside.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there), 0);
}

TEST_F(ClusterNetworkTest, AStreamOutlivesAShortCut) {
  connect(kPeerPort);
  treat({"link-cut node-1->node-2 class=control"});
  send("held back");
  EXPECT_EQ(receive(receiver_, kAMomentMs), "");
  treat({});
  EXPECT_EQ(receive(receiver_, kSoonMs), "held back");
}

TEST_F(ClusterNetworkTest, ACutOfHeartbeatsLetsControlPass) {
  connect(kPeerPort);
  const FileDescriptor from = socket_of(1, SOCK_DGRAM, 0);
  const FileDescriptor to = socket_of(2, SOCK_DGRAM, kPeerPort);
  const sockaddr_in there = endpoint(description_.node_address(2), kPeerPort);
  const auto beat = [&](const char* bytes) {
    EXPECT_EQ(
        ::sendto(from.get(), bytes, 4, 0, reinterpret_cast<const sockaddr*>(&there), sizeof there),
        4)
        << "the sender does not notice";
  };
  treat({"link-cut node-1->node-2 class=heartbeat"});
  beat("lost");
  send("a request");
  EXPECT_EQ(receive(receiver_, kSoonMs), "a request");
  EXPECT_EQ(receive(to, kAMomentMs), "");
  treat({});
  beat("next");
  EXPECT_EQ(receive(to, kSoonMs), "next");
}

TEST_F(ClusterNetworkTest, ACutOfOneDirectionKeepsAcknowledgementsBack) {
  connect(kPeerPort);
  treat({"link-cut node-2->node-1"});
  send("heard");
  EXPECT_EQ(receive(receiver_, kSoonMs), "heard");
  tcp_info info = {};
  socklen_t size = sizeof info;
  EXPECT_EQ(::getsockopt(sender_.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  EXPECT_GT(info.tcpi_unacked, 0u);
}

TEST_F(ClusterNetworkTest, LostPacketsAreSentAgain) {
  connect(kMigrationPort);
  treat({"link-loss node-1->node-2 share=30% class=data"});
  std::string sent;
  std::string received;
  for (int i = 0; i < 64; ++i) {
    const std::string page(4096, static_cast<char>('A' + i));
    send(page);
    sent += page;
  }
  while (received.size() < sent.size()) {
    const std::string more = receive(receiver_, kSoonMs);
    ASSERT_FALSE(more.empty()) << "after " << received.size() << " bytes";
    received += more;
  }
  EXPECT_EQ(received, sent);
  tcp_info info = {};
  socklen_t size = sizeof info;
  EXPECT_EQ(::getsockopt(sender_.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  EXPECT_GT(info.tcpi_total_retrans, 0u);
}

TEST_F(ClusterNetworkTest, NoMoreThanTheRatePasses) {
  connect(kMigrationPort);
  treat({"link-rate node-1->node-2 rate=1MiB/s"});
  const auto begin = steady_clock::now();
  std::size_t received = 0;
  for (int i = 0; i < 8; ++i) send(std::string(64 * 1024, 'x'));
  while (received < 512 * 1024) {
    const std::string more = receive(receiver_, kSoonMs);
    ASSERT_FALSE(more.empty()) << "after " << received << " bytes";
    received += more.size();
  }
  EXPECT_GT(steady_clock::now() - begin, milliseconds(350)) << "half a second, less the bursts";
}

TEST_F(ClusterNetworkTest, NetemDelaysWhereTheKernelHasIt) {
  if (!network_->skills().netem) GTEST_SKIP() << "this kernel has no netem";
  connect(kPeerPort);
  treat({"link-delay node-1<->node-2 min=200ms", "link-reorder node-1->node-2 share=50%",
         "link-corrupt node-1->node-2 share=1% class=heartbeat",
         "link-rate node-1->node-2 rate=1MiB/s"});
  const auto begin = steady_clock::now();
  send("late");
  EXPECT_EQ(receive(receiver_, kSoonMs), "late");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(200));
  treat({"link-rate node-1->node-2 rate=1MiB/s class=control"});  // the queue is another now
  send("soon");
  EXPECT_EQ(receive(receiver_, kSoonMs), "soon");
  treat({});
}

TEST_F(ClusterNetworkTest, WhatItCannotDoChangesNothing) {
  connect(kPeerPort);
  PacketTreatments treatments;
  treatments[{1, 9, PacketClass::kControl}].rate_bytes_per_s = 1'000;  // there is no such port
  EXPECT_TRUE(network_->treat(treatments).has_value());
  treat({"link-cut node-1->node-2 class=heartbeat"});
  send("passes");
  EXPECT_EQ(receive(receiver_, kSoonMs), "passes");
}

}  // namespace
}  // namespace failsim::cli
