// `simulate`: what it prints and how it ends.

#include "tools/sim/simulate.h"

#include <sstream>

#include <gtest/gtest.h>

#include "tools/sim/chaos.h"
#include "tools/sim/world.h"

namespace failsim::sim {
namespace {

TEST(Simulate, OneSeedPrintsAnObject) {
  SimulateOptions options;
  options.seed = 3;
  options.json = true;
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(simulate_main(options, out, err), 0) << err.str();
  const std::string text = out.str();
  for (const char* field : {"\"seed\":3", "\"trace_hash\":\"", "\"violations\":[]",
                            "\"virtual_seconds\":60", "\"wall_seconds\":"}) {
    EXPECT_NE(text.find(field), std::string::npos) << field << " in " << text;
  }
}

TEST(Simulate, OneSeedIsASentenceForPeople) {
  SimulateOptions options;
  options.seed = 3;
  options.nodes = 1;
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(simulate_main(options, out, err), 0) << err.str();
  EXPECT_TRUE(out.str().starts_with("seed 3 of 1 node: 0 violations; ")) << out.str();
}

// /dev/null is a file: no directory can be created below it, whoever asks.
TEST(Simulate, AReportThatCannotBeWrittenIsNoSuccess) {
  SimulateOptions options;
  options.seed = 3;
  options.report = true;
  options.runs = "/dev/null/runs";
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(simulate_main(options, out, err), 70);
  EXPECT_NE(out.str().find("0 violations"), std::string::npos) << out.str();
  EXPECT_TRUE(err.str().starts_with("failsim: ")) << err.str();
}

TEST(Simulate, SeveralSeedsAreSummarised) {
  SimulateOptions options;
  options.seeds = 2;
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(simulate_main(options, out, err), 0) << err.str();
  EXPECT_NE(out.str().find("2 seeds"), std::string::npos) << out.str();
}

TEST(Simulate, NothingToDoIsAMistake) {
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(simulate_main(SimulateOptions(), out, err), 64);
  EXPECT_NE(err.str(), "");
  SimulateOptions crowd;
  crowd.seeds = 1;
  crowd.nodes = 8;
  EXPECT_EQ(simulate_main(crowd, out, err), 64);
}

TEST(Determinism, AnotherSeedIsAnotherRun) {
  ChaosConfig one;
  one.duration = 6 * kSecond;
  ChaosConfig other = one;
  other.seed = 2;
  EXPECT_NE(run_chaos(one).trace_hash, run_chaos(other).trace_hash);
}

TEST(Determinism, LookingAtTheTraceChangesNothing) {
  ChaosConfig blind;
  blind.duration = 6 * kSecond;
  ChaosConfig watched = blind;
  std::ostringstream lines;
  watched.trace_lines = &lines;
  EXPECT_EQ(run_chaos(blind).trace_hash, run_chaos(watched).trace_hash);
  EXPECT_NE(lines.str(), "");
}

// 64 nodes that hear each other: the whole mesh of heartbeats, one leader, everybody Up.
TEST(Crowd, SixtyFourNodesFormACluster) {
  WorldConfig config;
  config.nodes = 64;
  World world(config);
  world.start_all();
  world.run_until(5 * kSecond);
  const NodeId leader = world.member(1).leader();
  ASSERT_NE(leader, kNoNode);
  for (const NodeId node : world.nodes()) {
    EXPECT_EQ(world.member(node).leader(), leader);
    EXPECT_EQ(world.member(leader).state().node(node)->state(), pb::NODE_UP);
  }
  EXPECT_TRUE(world.checker().violations().empty());
}

}  // namespace
}  // namespace failsim::sim
