// What a kill -9 does to VMs, migrations and to whoever is talking to the dead node.
#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

class Failures : public RunningCluster {
 protected:
  void create(const std::string& name, const std::string& owner) {
    object("vm create " + name + " --memory 32MiB --working-set 8MiB --owner " + owner +
           " --start");
  }
  // A migration in Data Transfer that would last at least some seconds.
  std::unique_ptr<Program> begin_slow(const std::string& name, const std::string& target,
                                      const std::string& bandwidth = "1MiB/s") {
    const std::uint64_t before = last_event();
    std::unique_ptr<Program> program =
        begin("migrate " + name + " --to " + target + " --bandwidth " + bandwidth);
    wait_for_migration_state(before, name, 2);
    return program;
  }
  std::string another_node(const std::string& a, const std::string& b = "") {
    for (const char* node : {"node-1", "node-2", "node-3"}) {
      if (node != a && node != b) return node;
    }
    return "";
  }
};

TEST_F(Failures, AKilledOwnersVmIsRestartedElsewhereAndCountsOn) {
  create("web", "node-3");
  wait_for_counter_above("web", 2);
  const std::uint64_t counted = counter("web");
  const std::uint64_t boot = boot_id("web");
  ASSERT_EQ(run("node kill node-3").exit, 0);
  EXPECT_NE(wait_for_restart_elsewhere("web", "node-3"), "node-3");
  wait_for_counter_above("web", counted);
  EXPECT_NE(boot_id("web"), boot) << "its memory died with the node";
  wait_for_node("node-3", "Down");
  ASSERT_EQ(run("node start node-3").exit, 0);
  wait_for_node("node-3", "Up");
}

TEST_F(Failures, ANodeStoppedAloneHandsItsVmsOver) {
  create("web", "node-2");
  ASSERT_EQ(run("node stop node-2").exit, 0);
  EXPECT_NE(wait_for_restart_elsewhere("web", "node-2"), "node-2");
}

TEST_F(Failures, AKilledTargetLeavesTheVmAtItsSource) {
  create("web", "node-1");
  const std::uint64_t boot = boot_id("web");
  const std::unique_ptr<Program> migration = begin_slow("web", "node-3");
  ASSERT_EQ(run("node kill node-3").exit, 0);
  const Outcome outcome = migration->wait();
  EXPECT_EQ(outcome.exit, 21) << outcome.err;
  EXPECT_EQ(owner("web"), "node-1");
  EXPECT_EQ(boot_id("web"), boot);
  EXPECT_EQ(enum_value_in(vm("web"), "migration_state"), 5u);
  wait_for_counter_above("web", counter("web"));
}

TEST_F(Failures, AKilledSourceMeansARestartElsewhere) {
  create("web", "node-3");
  wait_for_counter_above("web", 2);
  const std::uint64_t counted = counter("web");
  const std::unique_ptr<Program> migration = begin_slow("web", "node-2");
  ASSERT_EQ(run("node kill node-3").exit, 0);
  const Outcome outcome = migration->wait();
  EXPECT_EQ(outcome.exit, 22) << outcome.err;
  EXPECT_NE(wait_for_restart_elsewhere("web", "node-3"), "node-3");
  wait_for_counter_above("web", counted);
  EXPECT_EQ(enum_value_in(vm("web"), "migration_state"), 5u);
}

TEST_F(Failures, AMigrationOutlivesTheLeader) {
  const std::string led_by = leader();
  const std::string source = another_node(led_by);
  const std::string target = another_node(led_by, source);
  create("web", source);
  const std::uint64_t boot = boot_id("web");
  const std::unique_ptr<Program> migration = begin_slow("web", target, "16MiB/s");
  ASSERT_EQ(run("node kill " + led_by).exit, 0);
  const Outcome outcome = migration->wait();
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_EQ(owner("web"), target);
  EXPECT_EQ(boot_id("web"), boot);
}

// The command line asks node-1 first.
TEST_F(Failures, AVerbGoesOnWithAnotherNodeWhenItsOwnDies) {
  create("web", "node-2");
  const std::unique_ptr<Program> migration = begin_slow("web", "node-3", "16MiB/s");
  ASSERT_EQ(run("node kill node-1").exit, 0);
  const Outcome outcome = migration->wait();
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_EQ(array("migrate list").size(), 1u) << "nothing was done twice";
  EXPECT_EQ(owner("web"), "node-3");
  EXPECT_EQ(text_in(object("vm create db --memory 16MiB"), "object"), "vm/db");
}

TEST_F(Failures, TheSameRequestIdIsPerformedOnce) {
  cli::HttpRequest request;
  request.method = "POST";
  request.port = cli::kApiPort;
  request.target = "/v1/vms";
  request.token = cluster().token();
  request.request_id = "once:1";
  request.body =
      R"({"name":"web","memory_bytes":16777216,"working_set_bytes":4194304,"start":true})";
  request.timeout = std::chrono::milliseconds(20'000);
  std::string first;
  for (std::uint32_t node = 1; node <= 3; ++node) {
    request.address = description().node_address(node);
    const cli::HttpAnswer answer = cli::exchange(request);
    EXPECT_EQ(answer.status / 100, 2u) << answer.body;
    if (first.empty()) first = answer.body;
    EXPECT_EQ(answer.body, first) << "node-" << node;
  }
  EXPECT_EQ(array("vm list").size(), 1u);
}

TEST_F(Failures, WithoutAQuorumThatIsSaidAndStatusStillAnswers) {
  create("web", "node-1");
  ASSERT_EQ(run("node kill node-1").exit, 0);
  ASSERT_EQ(run("node kill node-2").exit, 0);
  expect_refused("property set web MigrationState 1", 106, Code::kNoQuorum);
  const json::object status = object("status");
  EXPECT_FALSE(flag_in(status, "quorum"));
  EXPECT_EQ(cli::array_in(status, "nodes").size(), 3u);
  EXPECT_TRUE(is_null_in(status, "vms")) << "nobody vouches for them";
  EXPECT_EQ(array("node list").size(), 3u);
  ASSERT_EQ(run("node start node-1").exit, 0) << "answers, quorum or not";
  wait_for_counter_above("web", 0);
}

TEST_F(Failures, NodesStartAndStopWithNoOtherAlive) {
  for (const char* node : {"node-1", "node-2", "node-3"}) {
    EXPECT_EQ(run(std::string("node stop ") + node).exit, 0);
  }
  expect_refused("vm list", 69, Code::kConnectionRefused);
  expect_refused("node kill node-2", 1, Code::kNodeDown);
  const json::array nodes = array("node list");
  ASSERT_EQ(nodes.size(), 3u);
  EXPECT_TRUE(is_null_in(nodes.at(0).as_object(), "pid"));
  EXPECT_EQ(run("node start node-2").exit, 0);
  EXPECT_FALSE(flag_in(object("status"), "quorum"));
  EXPECT_EQ(run("node kill node-2").exit, 0);
  for (const char* node : {"node-3", "node-1", "node-2"}) {
    EXPECT_EQ(run(std::string("node start ") + node).exit, 0);
  }
  EXPECT_TRUE(array("vm list").empty());
}

}  // namespace
}  // namespace failsim::test
