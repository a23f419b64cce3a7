// A cluster whose processes have network namespaces of their own: faults of its network hit real
// packets. Needs root, and says so where it is skipped.
#include <set>

#include <unistd.h>

#include "tests/e2e/running_cluster.h"
#include "tools/failsim/cluster_network.h"
#include "tools/failsim/nodes.h"

namespace failsim::test {
namespace {

std::string namespace_of(const std::string& process) {
  std::error_code gone;
  return cli::fs::read_symlink("/proc/" + process + "/ns/net", gone).string();
}

// Those of all processes there are.
std::set<std::string> namespaces() {
  std::set<std::string> found;
  for (const auto& entry : cli::fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) found.insert(namespace_of(name));
  }
  return found;
}

class Namespaces : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    if (const auto error = cli::ClusterNetwork::try_out()) GTEST_SKIP() << error->message;
    up("--faults --netns");
  }

  json::object inject(const std::string& words) { return object("fault inject " + words); }
  static std::string performer(const json::object& fault) {
    return text_in(cli::array_in(fault, "hits").at(0).as_object(), "node");
  }
  std::string follower() { return leader() == "node-3" ? "node-2" : "node-3"; }
  // What the node itself has counted of its links.
  std::uint64_t counted(const std::string& node, const char* what) {
    const HttpAnswer answer = ask(node, "/v1/nodes/" + node);
    EXPECT_EQ(answer.status, 200u) << answer.body;
    const json::object shown = cli::parse_object(answer.body).value_or(json::object{});
    return number_in(object_in(shown, "transport"), what);
  }
  using HttpAnswer = cli::HttpAnswer;
  HttpAnswer ask(const std::string& node, const std::string& target) {
    return client().ask(description().node_named(node).value(), target,
                        std::chrono::milliseconds(10'000));
  }
  void wait_for_fault_event(std::uint64_t since, const std::string& kind, std::uint64_t id) {
    wait_for_event(since, [&](const json::object& event) {
      return text_in(event, "kind") == kind && number_in(event, "fault") == id;
    });
  }
};

TEST_F(Namespaces, EachProcessHasOneAndNoneOutlivesTheLauncher) {
  const cli::RunningProcesses running = cluster().processes().value();
  std::set<std::string> own;
  for (const cli::RunningChild& child : running.children) {
    own.insert(namespace_of(std::to_string(child.process.pid)));
  }
  EXPECT_EQ(own.size(), 4u) << "three nodes and the volume";
  EXPECT_FALSE(own.contains(namespace_of("self")));
  EXPECT_EQ(namespace_of(std::to_string(running.supervisor.pid)), namespace_of("self"));

  ASSERT_TRUE(cli::send_signal(running.supervisor, SIGKILL));
  for (const cli::RunningChild& child : running.children) {
    EXPECT_TRUE(cli::wait_until_gone(child.process, std::chrono::milliseconds(10'000)));
  }
  const std::set<std::string> left = namespaces();
  for (const std::string& one : own) EXPECT_FALSE(left.contains(one)) << one;
  EXPECT_EQ(run("down").exit, 0);
  EXPECT_EQ(run("up --detach --netns").exit, 0);
}

TEST_F(Namespaces, TheSameClusterRunsWithoutThem) {
  object("vm create web --memory 32MiB --start");
  EXPECT_EQ(run("down").exit, 0);
  EXPECT_EQ(run("up --detach").exit, 0);
  const cli::RunningProcesses running = cluster().processes().value();
  for (const cli::RunningChild& child : running.children) {
    EXPECT_EQ(namespace_of(std::to_string(child.process.pid)), namespace_of("self")) << child.name;
  }
  EXPECT_EQ(text_in(vm("web"), "name"), "web");
}

TEST_F(Namespaces, ACutOfHeartbeatsTakesANodeDownWhileItsControlTrafficPasses) {
  const std::string node = follower();
  const json::object fault = inject("link-cut " + node + "->all class=heartbeat --for 10m");
  EXPECT_EQ(performer(fault), "launcher");
  wait_for_node(node, "Down");
  EXPECT_EQ(ask(node, "/v1/tasks").status, 200u) << "it asks its leader before it answers";
  EXPECT_EQ(array("fault heal --all").size(), 1u);
  wait_for_node(node, "Up");
}

TEST_F(Namespaces, AShortCutIsHealedByRetransmissionAndNoLinkIsLost) {
  const std::string node = follower();
  const std::uint64_t lost = counted(node, "links_lost");
  const std::uint64_t before = last_event();
  const json::object fault = inject("link-cut " + node + "<->all class=control --for 1s");
  wait_for_fault_event(before, "fault-expired", number_in(fault, "id"));
  EXPECT_EQ(ask(node, "/v1/tasks").status, 200u);
  EXPECT_EQ(counted(node, "links_lost"), lost);
}

// TCP alone would try again only after a pause as long as the cut.
TEST_F(Namespaces, AfterALongCutLinksAreMadeAnew) {
  const std::string node = follower();
  const std::uint64_t lost = counted(node, "links_lost");
  const std::uint64_t before = last_event();
  const json::object fault = inject("link-cut " + node + "<->all class=control --for 8s");
  wait_for_fault_event(before, "fault-expired", number_in(fault, "id"));
  wait_for_node(node, "Up");
  EXPECT_EQ(ask(node, "/v1/tasks").status, 200u);
  EXPECT_GE(counted(node, "links_lost"), lost + 2);
}

TEST_F(Namespaces, AnIsolatedLeaderIsReplacedAndComesBackWhenItsLeaseIsOver) {
  const std::string former = leader();
  object("vm create web --memory 32MiB --owner " + former + " --start");
  wait_for_counter_above("web", 2);
  const std::uint64_t before = last_event();
  const json::object fault = inject("isolate leader --for 12s");
  EXPECT_EQ(performer(fault), "launcher");
  EXPECT_NE(wait_for_restart_elsewhere("web", former), former);
  wait_for_fault_event(before, "fault-expired", number_in(fault, "id"));
  wait_for_node(former, "Up");
  EXPECT_TRUE(array("fault list").empty());
}

TEST_F(Namespaces, ACutLinkInDataTransferLeavesTheVmAtItsSource) {
  object("vm create web --memory 32MiB --working-set 8MiB --owner node-1 --start");
  const std::uint64_t before = last_event();
  const std::unique_ptr<Program> migration = begin("migrate web --to node-3 --bandwidth 4MiB/s");
  wait_for_migration_state(before, "web", 2);
  inject("link-cut source(web)->target(web) class=data --for 10m");
  EXPECT_EQ(migration->wait().exit, 21);
  EXPECT_EQ(owner("web"), "node-1");
  wait_for_counter_above("web", counter("web"));
}

TEST_F(Namespaces, WhatTheKernelCannotDoTheProcessesDoAndTheListSaysSo) {
  const bool netem = cli::ClusterNetwork::build(description()).take().skills().netem;
  const json::object delay = inject("link-delay node-1->node-2 min=5ms");
  EXPECT_EQ(performer(delay), netem ? "launcher" : "node-1");
  const json::object rate = inject("link-rate node-1->volume rate=1MiB/s");
  EXPECT_EQ(performer(rate), "launcher");
  EXPECT_EQ(performer(inject("link-hold node-1->node-2 --for 1s")), "node-1");
  expect_refused("fault inject link-cut node-1->volume class=data", 64, Code::kInvalidParameter);
  EXPECT_GE(array("fault list").size(), 2u);
  EXPECT_GE(array("fault heal --all").size(), 2u);
  EXPECT_TRUE(array("fault list").empty());
}

TEST_F(Namespaces, AScenarioPlaysOnThem) {
  EXPECT_EQ(run("down").exit, 0);
  cli::make_directories(base_ / "played");
  cli::replace_file(base_ / "played" / "README.md", "A leader is cut off.\n");
  cli::replace_file(base_ / "played" / "scenario.yaml", R"(failsim: 1
nodes: 3
vms:
  web: {memory: 32MiB, working-set: 8MiB, owner: node-1}
steps:
  - fault: isolate node-1 for=6s
  - expect: vm(web).executing and not (vm(web).owner == node-1)
    within: 30s
)");
  const Outcome played = run("scenario run " + (base_ / "played").string() +
                             " --on processes --netns --report=" + (base_ / "runs").string());
  EXPECT_EQ(played.exit, 0) << played.out << played.err;
  const auto replay = cli::read_file(base_ / "runs" / "latest" / "replay.txt");
  ASSERT_TRUE(replay.has_value());
  EXPECT_NE(replay->find("--netns"), std::string::npos) << *replay;
}

class WithoutRoot : public ClusterTest {
 protected:
  // The build may lie where only root can go.
  std::string reachable_program() {
    constexpr auto kForAll = static_cast<cli::fs::perms>(0755);
    cli::fs::permissions(base_, kForAll);
    for (const char* name : {"failsim", "failsim-node"}) {
      cli::fs::copy_file(cli::fs::path(FAILSIM_PROGRAM).parent_path() / name, base_ / name);
    }
    return (base_ / "failsim").string();
  }
};

TEST_F(WithoutRoot, NamespacesAreRefusedBeforeAnythingStarts) {
  std::vector<std::string> words = {reachable_program(), "--dir",   "/tmp/failsim-of-nobody", "up",
                                    "--netns",           "--detach"};
  if (::geteuid() == 0) {
    const std::vector<std::string> nobody = {"/usr/bin/setpriv", "--reuid=65534", "--clear-groups"};
    words.insert(words.begin(), nobody.begin(), nobody.end());
  }
  const Outcome outcome = run_program(words, {{"XDG_STATE_HOME", "/tmp/failsim-of-nobody"}});
  EXPECT_EQ(outcome.exit, exit_code(Code::kAccessDenied)) << outcome.err;
  EXPECT_NE(outcome.err.find("Only root"), std::string::npos) << outcome.err;
  EXPECT_FALSE(cli::fs::exists("/tmp/failsim-of-nobody"));
}

}  // namespace
}  // namespace failsim::test
