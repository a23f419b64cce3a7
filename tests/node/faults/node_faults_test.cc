// What faults do to a node as a whole: node 1 of two, with real links and no member behind them.
#include "node/faults/node_faults.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "cluster/effects.h"
#include "cluster/member.h"
#include "cluster/wire/frame.h"
#include "tests/node/transport/loopback_nodes.h"
#include "tests/temporary_directory.h"

namespace failsim::node {
namespace {

class NodeFaultsTest : public testing::Test {
 protected:
  NodeFaultsTest() {
    switchboard.set_place(1, {1, 2});
    NodeFaults::Config config;
    config.self = 1;
    config.incarnation = 7;
    config.bootstrap = bootstrap;
    config.ask = [this](pb::Request request, std::function<void(pb::Reply)>) {
      asked.push_back(std::move(request));
    };
    config.call_after = [](Duration, std::function<void()>) {};
    config.set_memory_pressure = [this](std::uint64_t bytes) { pressure_bytes = bytes; };
    faults = std::make_unique<NodeFaults>(io, switchboard, *board, std::move(config));
    faults->enter(loop);
    open_transport();
  }

  void open_transport() {
    config_of_links.self = 1;
    config_of_links.bootstrap = bootstrap;
    config_of_links.port = port_of_nodes();
    config_of_links.recovery_epoch = [] { return 1; };
    config_of_links.receive = [this](pb::PeerMessage message) { heard.push_back(message); };
    config_of_links.link_changed = [](NodeId, bool) {};
    faults->enter(config_of_links);
    auto opened_links = PeerLinks::open(io, config_of_links, admission);
    ASSERT_TRUE(opened_links) << opened_links.error().message;
    links = opened_links.take();
    auto opened_heartbeats = HeartbeatSocket::open(io, 1, bootstrap, config_of_links.port,
                                                   admission, config_of_links.receive);
    ASSERT_TRUE(opened_heartbeats) << opened_heartbeats.error().message;
    heartbeats = opened_heartbeats.take();
    faults->put_around(links, heartbeats);
  }

  void inject(const std::string& line) {
    const Result<FaultInForce> fault = faults->desk().inject(line, 0, "the test");
    ASSERT_TRUE(fault) << fault.error().message;
  }
  void heal() { ASSERT_EQ(faults->desk().heal_all().size(), 1u); }
  void arm(const std::string& point, const std::string& terms) {
    const auto order = fault::parse_order("failpoint " + point + " terms=" + terms + " for=9s");
    ASSERT_TRUE(order) << order.error().message;
    ASSERT_FALSE(board->arm(1, order.value()));
  }
  // A step of the member passes blackout.begin.
  void begin_blackout(const std::string& vm) {
    Effects effects;
    TransferOrder& order = effects.transfers.emplace_back();
    order.vm = vm;
    order.role = TransferRole::kSource;
    order.stage = TransferStage::kFinish;
    loop.points->stepped(member, effects);
  }
  // A message of node 2 has passed admission.
  void arrive() {
    pb::PeerMessage message;
    message.set_version(kWireVersion);
    message.set_from(2);
    message.set_to(1);
    config_of_links.receive(message);
  }
  static MemberConfig member_config() {
    MemberConfig config;
    config.self = 1;
    config.bootstrap = two_nodes();
    return config;
  }

  const TemporaryDirectory directory;
  const pb::Bootstrap bootstrap = two_nodes();
  boost::asio::io_context io;
  Admission admission{1, bootstrap, [] { return 1; }};
  Switchboard switchboard{true_boottime_now, 1};
  std::unique_ptr<FailpointBoard> board = FailpointBoard::create(directory.path()).take();
  const Member member{member_config(), Recovered(), 0};
  std::vector<pb::PeerMessage> heard;
  std::vector<pb::Request> asked;
  std::uint64_t pressure_bytes = 0;
  std::unique_ptr<NodeFaults> faults;
  MemberLoop::Outside loop;
  PeerLinksConfig config_of_links;
  std::unique_ptr<PeerLinks> links;
  std::unique_ptr<HeartbeatSocket> heartbeats;
};

TEST_F(NodeFaultsTest, WithoutAFaultInForceTheSeamsAreAsTheyWere) {
  arrive();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard.back().version(), kWireVersion);
  EXPECT_TRUE(config_of_links.is_passable(1, 2));
  EXPECT_EQ(loop.timer_lateness(), 0);
  EXPECT_EQ(faults->stop_delay(), 0);
}

TEST_F(NodeFaultsTest, WhoIsIsolatedHearsNothingUntilItIsHealed) {
  inject("isolate node-1");
  arrive();
  EXPECT_TRUE(heard.empty());
  EXPECT_FALSE(config_of_links.is_passable(1, 2));
  heal();
  arrive();
  EXPECT_EQ(heard.size(), 1u);
}

TEST_F(NodeFaultsTest, ToWhoSpeaksAnotherVersionTheOthersDo) {
  inject("version-skew node-1");
  arrive();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_NE(heard.back().version(), kWireVersion);
}

TEST_F(NodeFaultsTest, MemoryIsTakenAndGivenBackAtOnce) {
  inject("memory-pressure node-1 bytes=64MiB");
  EXPECT_EQ(pressure_bytes, std::uint64_t{64} << 20);
  heal();
  EXPECT_EQ(pressure_bytes, 0u);
}

TEST_F(NodeFaultsTest, TheClockDriftsForAsLongAsTheFaultIsInForce) {
  const auto true_length_of_an_hour = [] {
    const Time now = boottime_now();
    return true_boottime_of(now + 3600 * kSecond) - true_boottime_of(now);
  };
  inject("clock-drift node-1 ppm=1000 direction=slow");
  EXPECT_GT(true_length_of_an_hour(), 3603 * kSecond);
  heal();
  EXPECT_EQ(true_length_of_an_hour(), 3600 * kSecond);
}

TEST_F(NodeFaultsTest, TimersAreLateAndTheEndOfTheProcessIsSlow) {
  inject("timer-late node-1 by=5ms");
  inject("slow-stop node-1 by=2s");
  EXPECT_EQ(loop.timer_lateness(), 5 * kMillisecond);
  EXPECT_EQ(faults->stop_delay(), 2 * kSecond);
  faults->close();
  EXPECT_EQ(faults->stop_delay(), 0) << "the process ends, and all faults with it";
}

TEST_F(NodeFaultsTest, ANamedPointIsolatesTheNodeItIsPassedAt) {
  arm("blackout.begin", "1*cut(5s)");
  begin_blackout("web");
  arrive();
  EXPECT_TRUE(heard.empty());
  ASSERT_EQ(faults->desk().in_force().size(), 1u);
  EXPECT_EQ(faults->desk().in_force().front().by, "failpoint");
}

TEST_F(NodeFaultsTest, ANamedPointCancelsTheMigrationBehindTheStep) {
  arm("blackout.begin", "2*cancel");
  begin_blackout("web");
  begin_blackout("web");
  EXPECT_TRUE(asked.empty()) << "the step is not over";
  io.poll();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked.front().cancel_migration().vm(), "web");
  EXPECT_EQ(asked.front().client(), "failpoint-1-7");
  EXPECT_EQ(asked.back().sequence(), 2u) << "a request of its own";
}

TEST_F(NodeFaultsTest, TheHypervisorAsksTheSwitchboardOfThisNode) {
  HypervisorConfig config;
  faults->enter(config);
  inject("guest-crash web");
  EXPECT_TRUE(config.faults->crashes("web"));
  EXPECT_FALSE(config.faults->crashes("web"));
}

}  // namespace
}  // namespace failsim::node
