// Named points in node processes: a fault exactly there, with what the protocol promises then.
#include "tests/e2e/running_cluster.h"
#include "tools/failsim/nodes.h"

namespace failsim::test {
namespace {

class Failpoints : public ClusterTest {
 protected:
  // The VM goes from a follower to another one, so that each side is a node of its own.
  void SetUp() override {
    ClusterTest::SetUp();
    up("--faults");
    led_by_ = leader();
    for (const char* node : {"node-1", "node-2", "node-3"}) {
      if (node == led_by_) continue;
      (source_.empty() ? source_ : target_) = node;
    }
    object("vm create web --memory 32MiB --working-set 8MiB --owner " + source_ + " --start");
    wait_for_counter_above("web", 0);
  }
  void arm(const std::string& point, const std::string& terms) {
    object("fault inject failpoint " + point + " terms=" + terms + " --for 10m");
  }
  std::uint64_t hits(const std::string& point) {
    for (const json::value& row : array("fault list")) {
      if (text_in(row.as_object(), "order").find(" " + point + " ") != std::string::npos) {
        return number_in(row.as_object(), "hits");
      }
    }
    ADD_FAILURE() << point << " is not armed";
    return 0;
  }
  bool runs(const std::string& node) { return cli::process_of_node(cluster(), node).has_value(); }
  void heal_and_settle() {
    EXPECT_EQ(run("fault heal --all").exit, 0);
    for (const char* node : {"node-1", "node-2", "node-3"}) {
      EXPECT_TRUE(until([&] { return runs(node); })) << node;
      wait_for_node(node, "Up");
    }
    wait_for_counter_above("web", counter("web"));
  }

  std::string led_by_;
  std::string source_;
  std::string target_;
};

TEST_F(Failpoints, AMigrationPassesThem) {
  const std::vector<std::string> points = {"leader.setup.before-send",
                                           "leader.move.after-send",
                                           "leader.complete.on-receive",
                                           "leader.transfer.after-persist",
                                           "source.move.on-receive",
                                           "source.move.before-persist",
                                           "source.transfer.after-persist",
                                           "target.setup.before-send",
                                           "target.complete.after-send",
                                           "round.1.begin",
                                           "round.1.end",
                                           "blackout.begin",
                                           "blackout.end",
                                           "owner.flip"};
  for (const std::string& point : points) arm(point, "off");
  EXPECT_EQ(run("migrate web --to " + target_).exit, 0);
  for (const std::string& point : points) EXPECT_GE(hits(point), 1u) << point;
}

TEST_F(Failpoints, ASourceKilledAtItsPointMeansARestartElsewhere) {
  const std::uint64_t boot = boot_id("web");
  arm("source.transfer.after-persist", "1*kill");
  EXPECT_NE(run("migrate web --to " + target_ + " --bandwidth 4MiB/s").exit, 0);
  EXPECT_NE(wait_for_restart_elsewhere("web", source_), source_);
  EXPECT_FALSE(runs(source_));
  EXPECT_NE(boot_id("web"), boot);
  EXPECT_EQ(array("fault list").size(), 2u) << "the point and the kill";
  heal_and_settle();
}

TEST_F(Failpoints, ALeaderKilledAtTheFlipLeavesTheVmWithTheTargetAndIsKilledOnce) {
  const std::uint64_t boot = boot_id("web");
  arm("owner.flip", "1*kill");
  run("migrate web --to " + target_);
  EXPECT_TRUE(until([&] { return !runs(led_by_); }));
  EXPECT_TRUE(until([&] { return owner("web") == target_; }));
  EXPECT_TRUE(runs(source_));
  EXPECT_TRUE(runs(target_)) << "the next leader passes the point, too";
  EXPECT_EQ(boot_id("web"), boot) << "the image became the guest";
  heal_and_settle();
}

TEST_F(Failpoints, ATargetThatStopsAtAPointGoesOnByItself) {
  arm("target.complete.on-receive", "1*freeze(300ms)");
  EXPECT_EQ(run("migrate web --to " + target_).exit, 0);
  EXPECT_EQ(owner("web"), target_);
  heal_and_settle();
}

TEST_F(Failpoints, LostMessagesAndDelaysAreSurvived) {
  arm("target.complete.on-receive", "2*return(DROP)->1*delay(100ms)");
  arm("leader.move.before-send", "1*return(DROP)");
  arm("source.move.before-send", "1*return(DROP)");
  EXPECT_EQ(run("migrate web --to " + target_).exit, 0);
  EXPECT_EQ(owner("web"), target_);
  EXPECT_GE(hits("target.complete.on-receive"), 3u);
}

TEST_F(Failpoints, AMigrationIsCanceledAtAPoint) {
  arm("round.2.begin", "1*cancel");
  EXPECT_EQ(run("migrate web --to " + target_ + " --bandwidth 4MiB/s --downtime-limit 1ms").exit,
            20);
  EXPECT_EQ(owner("web"), source_);
}

TEST_F(Failpoints, ATargetWithoutMemoryRefusesInSetup) {
  arm("target.setup.before-persist", "1*return(NO_MEMORY)");
  EXPECT_EQ(run("migrate web --to " + target_).exit, 21);
  EXPECT_EQ(owner("web"), source_);
  EXPECT_EQ(run("migrate web --to " + target_).exit, 0) << "once";
}

TEST_F(Failpoints, AWriteThatFailsAtAPointEndsTheProcess) {
  arm("target.move.before-persist", "1*return(EIO)");
  run("migrate web --to " + target_ + " --timeout 5s");
  EXPECT_TRUE(until([&] { return !runs(target_); }));
  EXPECT_EQ(run("node start " + target_).exit, 0);
  heal_and_settle();
}

TEST_F(Failpoints, WhatProcessesCannotDoIsRefused) {
  expect_refused("fault inject failpoint owner.flip terms=1*power-off", 1, Code::kInvalidState);
  expect_refused("fault inject failpoint owner.flop terms=kill", 64, Code::kInvalidParameter);
  expect_refused("fault inject failpoint owner.flip terms=return(EIO)", 64,
                 Code::kInvalidParameter);
}

}  // namespace
}  // namespace failsim::test
