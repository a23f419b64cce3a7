#include "cluster/failover/node_watch.h"

#include "tests/cluster/failover/leader_story.h"

namespace failsim {
namespace {

constexpr std::uint64_t kNotNode3 = 0b011;

class NodeWatchStory : public LeaderStory {
 protected:
  NodeWatchStory() {
    watch.elected(index);
    EXPECT_TRUE(decide().empty());
  }
  std::map<std::string, pb::Command> decide() {
    watch.note_lease(view());
    return proposals([&](Decision& decision) { watch.decide(decision); });
  }
  // A detection time passes in which these nodes beat and hold leases.
  void pass_time(const std::vector<NodeId>& well, std::uint64_t view = kEverybody) {
    for (int i = 0; i < 20; ++i) {
      now += detection / 20;
      asks_for_lease(1);
      for (const NodeId node : well) beat(node, view), asks_for_lease(node);
    }
  }
  void take_down_node_3(bool fenced) {
    take_down(3, fenced);
    watch.nodes_changed(index);
  }

  NodeWatch watch;
};

TEST_F(NodeWatchStory, ANodeThatAQuorumCallsSilentIsDownAndMayComeBack) {
  pass_time({2}, kNotNode3);
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  const pb::Command::NodeDown& down = commands.at("node/node-3").node_down();
  EXPECT_EQ(down.node(), 3u);
  EXPECT_EQ(down.incarnation(), process(3));
  EXPECT_FALSE(down.fenced());
  EXPECT_EQ(down.reason(), "silent for 10000 ms");
}

TEST_F(NodeWatchStory, WhatIsOnItsWayIsNotProposedAgain) {
  pass_time({2}, kNotNode3);
  on_their_way["node/node-3"] = index + 1;
  EXPECT_TRUE(decide().empty());
}

TEST_F(NodeWatchStory, ANodeThatOnlyOneOtherDoesNotHearStaysUp) {
  pass_time({2, 3}, kEverybody);
  beat(2, kNotNode3);
  EXPECT_TRUE(decide().empty());
}

TEST_F(NodeWatchStory, TheEarsOfANodeThatIsDownDoNotCount) {
  pass_time({2, 3});
  take_down(2, false);
  watch.nodes_changed(index);
  now += detection;  // the leader hears nobody now
  beat(2, kNotNode3);
  const auto commands = decide();
  EXPECT_EQ(commands.count("node/node-3"), 1u) << "it has no lease";
  EXPECT_EQ(commands.at("node/node-3").node_down().reason(),
            "heard, but without a lease for 10000 ms");
}

TEST_F(NodeWatchStory, AProcessProvenDeadIsFencedAtOnce) {
  watch.evidence(3, static_cast<std::uint32_t>(process(3)));
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_TRUE(commands.at("node/node-3").node_down().fenced());
  take_down_node_3(true);
  EXPECT_TRUE(decide().empty()) << "it is told already";
}

TEST_F(NodeWatchStory, EvidenceOfAFormerProcessSaysNothingOfTheNext) {
  watch.evidence(3, static_cast<std::uint32_t>(process(3, 7)));
  EXPECT_TRUE(decide().empty());
}

TEST_F(NodeWatchStory, ANodeThatIsHeardWithoutALeaseIsDownAfterADetectionTime) {
  const Time end = now + detection;
  while (now < end) {
    EXPECT_TRUE(decide().empty()) << now;
    now += detection / 20;
    beat(2), beat(3);
    asks_for_lease(1), asks_for_lease(2);
  }
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands.at("node/node-3").node_down().reason(),
            "heard, but without a lease for 10000 ms");
}

TEST_F(NodeWatchStory, ALeaderWithoutALeaseBlamesNobodyForHavingNone) {
  leased = false;
  for (int i = 0; i < 40; ++i) {
    now += detection / 20;
    beat(2), beat(3);
    EXPECT_TRUE(decide().empty()) << i;
  }
}

TEST_F(NodeWatchStory, ANodeIsBackWhenItHasAppliedThatItWasDown) {
  take_down_node_3(false);
  beat(3);
  EXPECT_TRUE(decide().empty()) << "its last request came before";
  asks_for_lease(3, false);
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands.at("node/node-3").node_up().incarnation(), process(3));
}

TEST_F(NodeWatchStory, ANodeThatSomebodyCallsSilentIsNotBack) {
  take_down_node_3(false);
  asks_for_lease(3, false);
  beat(2, kNotNode3);
  EXPECT_TRUE(decide().empty());
}

TEST_F(NodeWatchStory, AFencedNodeComesBackOnlyAsAnotherProcess) {
  take_down_node_3(true);
  asks_for_lease(3, false);
  beat(3);
  EXPECT_TRUE(decide().empty());
  beat(3, kEverybody, 2);
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands.at("node/node-3").node_joined().incarnation(), process(3, 2));
}

TEST_F(NodeWatchStory, ANextProcessThatIsDeadAlreadyProvesThatTheFormerOneIs) {
  beat(3, kEverybody, 2);
  watch.evidence(3, static_cast<std::uint32_t>(process(3, 2)));
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_TRUE(commands.at("node/node-3").node_down().fenced());
  EXPECT_EQ(commands.at("node/node-3").node_down().incarnation(), process(3));
}

}  // namespace
}  // namespace failsim
