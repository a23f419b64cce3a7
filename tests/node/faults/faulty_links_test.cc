// Two nodes in one event loop; node 1 sends through a network with faults.
#include "node/faults/faulty_links.h"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "cluster/wire/frame.h"
#include "node/hypervisor/hypervisor.h"
#include "tests/node/transport/loopback_nodes.h"

namespace failsim::node {
namespace {

class FaultyLinksTest : public testing::Test {
 protected:
  explicit FaultyLinksTest(std::chrono::milliseconds back_off = std::chrono::milliseconds(20))
      : faults(true_boottime_now, 1), port(port_of_nodes()), first_back_off(back_off) {
    faults.set_place(1, {1, 2});
    receiver = open(2, received);
    sender = FaultyLinks::around(open(1, unheard), 1, bootstrap, io, faults);
    auto to = HeartbeatSocket::open(io, 2, bootstrap, port, admission_of_2, [this](auto beat) {
      beats.push_back(beat.heartbeat().sequence());
    });
    EXPECT_TRUE(to) << to.error().message;
    ear = to.take();
    auto from = HeartbeatSocket::open(io, 1, bootstrap, port, admission_of_1, [](auto) {});
    EXPECT_TRUE(from) << from.error().message;
    heart = FaultyHeartbeats::around(from.take(), 1, io, faults);
  }

  std::unique_ptr<PeerLinks> open(NodeId self, std::vector<std::string>& heard) {
    PeerLinksConfig config;
    config.self = self;
    config.bootstrap = bootstrap;
    config.port = port;
    config.first_back_off = first_back_off;
    config.recovery_epoch = [] { return 1; };
    config.receive = [&heard](const pb::PeerMessage& message) {
      heard.push_back(message.live_query().vm());
    };
    config.link_changed = [this, self](NodeId, bool is_up) {
      if (self == 1) changes.push_back(is_up);
    };
    config.is_passable = [this](NodeId from, NodeId to) {
      return !faults.is_cut(from, to, Traffic::kControl);
    };
    auto links =
        PeerLinks::open(io, std::move(config), self == 1 ? admission_of_1 : admission_of_2);
    EXPECT_TRUE(links) << links.error().message;
    return links.take();
  }

  pb::PeerMessage envelope() {
    pb::PeerMessage message;
    message.set_version(kWireVersion);
    message.set_cluster_id(7);
    message.set_recovery_epoch(1);
    message.set_from(1);
    message.set_to(2);
    return message;
  }
  void say(const std::string& vm) {
    pb::PeerMessage message = envelope();
    message.mutable_live_query()->set_vm(vm);
    sender->send(message);
  }
  void beat(std::uint64_t number) {
    pb::PeerMessage message = envelope();
    message.mutable_heartbeat()->set_sequence(number);
    heart->send(message);
  }
  void inject(const std::string& line) {
    const auto fault = faults.inject(++last_id, fault::parse_order(line).value(), "the test");
    ASSERT_TRUE(fault) << fault.error().message;
    sender->faults_changed();
    heart->faults_changed();
  }
  void heal() {
    ASSERT_TRUE(faults.heal(last_id));
    sender->faults_changed();
    heart->faults_changed();
  }
  void wait_until(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      io.run_one_until(give_up);
    }
  }
  bool is_up() const { return !changes.empty() && changes.back(); }

  boost::asio::io_context io;
  Switchboard faults;
  std::uint16_t port;
  const std::chrono::milliseconds first_back_off;
  const pb::Bootstrap bootstrap = two_nodes();
  Admission admission_of_1{1, bootstrap, [] { return 1; }};
  Admission admission_of_2{2, bootstrap, [] { return 1; }};
  std::vector<std::string> received;
  std::vector<std::string> unheard;
  std::vector<std::uint64_t> beats;
  std::vector<bool> changes;  // of the link from 1 to 2
  std::unique_ptr<PeerLinks> receiver;
  std::unique_ptr<FaultyLinks> sender;
  std::unique_ptr<HeartbeatSocket> ear;
  std::unique_ptr<FaultyHeartbeats> heart;
  std::uint64_t last_id = 0;
};

using Words = std::vector<std::string>;

TEST_F(FaultyLinksTest, WhatIsHeldArrivesInOrderAndTheConnectionStays) {
  wait_until([this] { return is_up(); });
  inject("link-hold node-1->node-2");
  for (const char* word : {"a", "b", "c"}) say(word);
  beat(1);
  EXPECT_FALSE(sender->is_flushed());
  heal();
  wait_until([this] { return received.size() == 3 && beats.size() == 1; });
  EXPECT_EQ(received, (Words{"a", "b", "c"}));
  EXPECT_EQ(changes, std::vector<bool>{true});
}

TEST_F(FaultyLinksTest, ACutBreaksTheConnectionAndItComesBackWhenHealed) {
  wait_until([this] { return is_up(); });
  inject("link-cut node-1->node-2");
  wait_until([this] { return !is_up(); });
  say("lost");
  beat(1);
  heal();
  wait_until([this] { return is_up(); });
  say("heard");
  beat(2);
  wait_until([this] { return received.size() == 1 && beats.size() == 1; });
  EXPECT_EQ(received, Words{"heard"});
  EXPECT_EQ(beats.front(), 2u);
}

// Who fails to connect is not tried again for ten minutes.
class PatientLinksTest : public FaultyLinksTest {
 protected:
  PatientLinksTest() : FaultyLinksTest(std::chrono::minutes(10)) {}
};

TEST_F(PatientLinksTest, ACutLastsNoLongerThanItSays) {
  wait_until([this] { return is_up(); });
  for (int times = 0; times < 3; ++times) {
    inject("link-cut node-1->node-2");
    wait_until([this] { return !is_up(); });
    heal();
    wait_until([this] { return is_up(); });
  }
}

TEST_F(FaultyLinksTest, ACutOfHeartbeatsLeavesTheRestAlone) {
  wait_until([this] { return is_up(); });
  inject("link-cut node-1->node-2 class=heartbeat");
  beat(1);
  say("heard");
  wait_until([this] { return !received.empty(); });
  heal();
  beat(2);
  wait_until([this] { return !beats.empty(); });
  EXPECT_EQ(beats.front(), 2u);
  EXPECT_EQ(changes, std::vector<bool>{true});
}

TEST_F(FaultyLinksTest, DelayedMessagesKeepTheirOrder) {
  wait_until([this] { return is_up(); });
  inject("link-delay node-1->node-2 min=1ms max=20ms");
  Words sent;
  for (int i = 0; i < 50; ++i) say(sent.emplace_back(std::to_string(i)));
  wait_until([&] { return received.size() == sent.size(); });
  EXPECT_EQ(received, sent);
}

TEST_F(FaultyLinksTest, ADoubledHeartbeatArrivesTwice) {
  inject("link-duplicate node-1->node-2 share=100%");
  beat(5);
  wait_until([this] { return beats.size() == 2; });
  EXPECT_EQ(beats, (std::vector<std::uint64_t>{5, 5}));
}

TEST_F(FaultyLinksTest, AFlippedBitIsCaughtByTheChecksum) {
  inject("link-corrupt node-1->node-2 share=100% class=heartbeat");
  beat(1);
  wait_until([this] {
    const TransportCounters& counters = admission_of_2.counters();
    return counters.dropped_corrupt + counters.dropped_wrong_version + counters.dropped_oversized ==
           1;
  });
  EXPECT_TRUE(beats.empty());
}

TEST_F(FaultyLinksTest, AResetConnectionIsMadeAnew) {
  wait_until([this] { return is_up(); });
  inject("link-reset node-1->node-2");
  wait_until([this] { return changes.size() == 3; });
  say("heard");
  wait_until([this] { return !received.empty(); });
}

}  // namespace
}  // namespace failsim::node
