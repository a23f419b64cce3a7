// What was done to a cluster of processes becomes a scenario, which goes the same way in virtual
// time.
#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

class SessionTest : public ClusterTest {
 protected:
  std::string folder() const { return (base_ / "recorded").string(); }
  json::object record() { return object("scenario record " + folder()); }
};

TEST_F(SessionTest, BecomesAScenarioThatPassesInVirtualTime) {
  up("--faults");
  object("vm create web --memory 32MiB --working-set 8MiB --owner node-1 --start");
  ASSERT_EQ(run("migrate web --to node-2 --wait").exit, 0);
  const std::string killed = leader() == "node-3" ? "node-1" : "node-3";
  ASSERT_EQ(run("node kill " + killed).exit, 0);
  wait_for_node(killed, "Down");
  ASSERT_EQ(run("node start " + killed).exit, 0);
  wait_for_node(killed, "Up");
  const std::uint64_t before = last_event();
  const json::object fault = object("fault inject freeze " + killed + " --for 2s");
  wait_for_event(
      before, [](const json::object& event) { return text_in(event, "kind") == "fault-expired"; });
  EXPECT_NE(run("migrate web --to node-9").exit, 0);

  const json::object recorded = record();
  EXPECT_EQ(text_in(recorded, "in_virtual_time"), "pass");
  EXPECT_EQ(cli::array_in(recorded, "remarks"), json::array());
  ASSERT_EQ(run("down").exit, 0);
  EXPECT_EQ(run("scenario lint " + folder()).exit, 0);
  EXPECT_EQ(run("scenario run " + folder()).exit, 0);
}

TEST_F(SessionTest, CanBeRecordedWhenTheClusterIsDownAndOnlyIntoANewFolder) {
  up();
  object("vm create web --memory 32MiB --working-set 8MiB --owner node-1 --start");
  ASSERT_EQ(run("down").exit, 0);
  EXPECT_EQ(text_in(record(), "in_virtual_time"), "pass");
  EXPECT_EQ(run("scenario record " + folder()).exit, exit_code(Code::kAlreadyExists));
}

}  // namespace
}  // namespace failsim::test
