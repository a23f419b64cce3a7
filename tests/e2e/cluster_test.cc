// Clusters as a whole: up, down, ps, and what the directory keeps.
#include <csignal>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/running_cluster.h"
#include "tools/failsim/process.h"

namespace failsim::test {
namespace {

using Cluster = RunningCluster;

TEST_F(Cluster, EndpointsAreThereWhenUpReturns) {
  const json::object endpoints =
      cli::parse_object(cli::read_file(cluster().endpoints_file()).value_or(""))
          .value_or(json::object{});
  EXPECT_EQ(text_in(endpoints, "directory"), directory_.string());
  const json::array& nodes = cli::array_in(endpoints, "nodes");
  ASSERT_EQ(nodes.size(), 3u);
  const json::object status = object("status");
  EXPECT_EQ(text_in(status, "cluster"), "failsim");
  EXPECT_TRUE(flag_in(status, "quorum"));
  EXPECT_FALSE(text_in(status, "leader").empty());
  for (std::size_t i = 0; i < 3; ++i) {
    const json::object& node = cli::array_in(status, "nodes")[i].as_object();
    EXPECT_EQ(enum_name_in(node, "state"), "Up");
    EXPECT_EQ(number_in(node, "pid"), number_in(nodes[i].as_object(), "pid"));
    EXPECT_EQ(text_in(node, "address"), text_in(nodes[i].as_object(), "address"));
  }
  struct stat token = {};
  ASSERT_EQ(::stat(cluster().token_file().c_str(), &token), 0);
  EXPECT_EQ(token.st_mode & 0777u, 0600u);
}

TEST_F(Cluster, ItIsListedWhileItRunsAndChosenByItself) {
  const Outcome list = run_program({FAILSIM_PROGRAM, "ps", "--output", "json"});
  const json::value rows = cli::parse_json(list.out).value_or(nullptr);
  ASSERT_TRUE(rows.is_array());
  ASSERT_EQ(rows.as_array().size(), 1u);
  EXPECT_EQ(text_in(rows.as_array().at(0).as_object(), "directory"), directory_.string());
  EXPECT_EQ(run_program({FAILSIM_PROGRAM, "status"}).exit, 0) << "the only one running";
  EXPECT_EQ(run_program({FAILSIM_PROGRAM, "--cluster", "failsim", "status"}).exit, 0);
  EXPECT_EQ(run("down").exit, 0);
  EXPECT_EQ(run_program({FAILSIM_PROGRAM, "ps", "--output", "json"}).out, "[]\n");
  expect_refused("status", 69, Code::kConnectionRefused);
}

TEST_F(Cluster, DownAndUpAgainStartsTheVmsThatRan) {
  object("vm create web --memory 16MiB --start");
  object("vm create off --memory 16MiB");
  wait_for_counter_above("web", 2);
  const std::uint64_t counted = counter("web");
  const std::uint64_t boot = boot_id("web");
  object("property set off MigrationState 4");
  ASSERT_EQ(run("down").exit, 0);
  EXPECT_FALSE(cli::fs::exists(cluster().endpoints_file()));
  ASSERT_EQ(run("up --detach").exit, 0);
  wait_for_counter_above("web", counted);
  EXPECT_NE(boot_id("web"), boot) << "a fresh boot";
  EXPECT_EQ(enum_name_in(vm("web"), "state"), "Running");
  EXPECT_EQ(enum_name_in(vm("off"), "state"), "TurnedOff");
  EXPECT_EQ(number_in(object("property get off MigrationState"), "value"), 4u);
}

TEST_F(Cluster, UpRefusesADirectoryWhoseClusterRuns) {
  expect_refused("up --detach", 108, Code::kAlreadyExists);
  EXPECT_TRUE(flag_in(object("status"), "quorum")) << "nothing happened to it";
  ASSERT_EQ(run("down").exit, 0);
  expect_refused("up --detach -n 5", 64, Code::kInvalidParameter);
  expect_refused("up --detach --name other", 64, Code::kInvalidParameter);
  expect_refused("up --detach --set SameSubnetDelay=500", 64, Code::kInvalidParameter);
}

TEST_F(Cluster, ANodeWhoseDirectoryIsGoneIsNotStartedOnAnEmptyOne) {
  run("node kill node-3");
  const cli::fs::path kept = cluster().node(3).string() + "-kept";
  cli::fs::rename(cluster().node(3), kept);
  expect_refused("node start node-3", 1, Code::kNodeNotAvailable);
  run("down");
  expect_refused("up --detach", 1, Code::kNodeNotAvailable);
  EXPECT_FALSE(cli::fs::exists(cluster().node(3)));
  cli::fs::rename(kept, cluster().node(3));
  EXPECT_EQ(run("up --detach").exit, 0);
  wait_for_node("node-3", "Up");
}

TEST_F(Cluster, APortInUseIsNamed) {
  ASSERT_EQ(run("down").exit, 0);
  const cli::ClusterDescription found = description();
  const int thief = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in there = {};
  const int on = 1;  // what was there a moment ago is in TIME_WAIT
  ::setsockopt(thief, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  there.sin_family = AF_INET;
  there.sin_port = htons(cli::kApiPort);
  ::inet_pton(AF_INET, found.node_address(2).c_str(), &there.sin_addr);
  ASSERT_EQ(::bind(thief, reinterpret_cast<sockaddr*>(&there), sizeof there), 0);
  ASSERT_EQ(::listen(thief, 1), 0);
  const Outcome outcome = run("up --detach");
  EXPECT_EQ(outcome.exit, 1);
  EXPECT_NE(outcome.err.find(found.node_address(2) + " port 7080"), std::string::npos)
      << outcome.err;
  ::close(thief);
  EXPECT_EQ(run("up --detach").exit, 0);
}

TEST_F(Cluster, EverythingDiesWithItsSupervisorAndIsHealed) {
  const cli::RunningProcesses before = cluster().processes().value();
  ASSERT_TRUE(cli::send_signal(before.supervisor, SIGKILL));
  for (const cli::RunningChild& child : before.children) {
    EXPECT_TRUE(cli::wait_until_gone(child.process, std::chrono::milliseconds(10'000)))
        << child.name;
  }
  EXPECT_EQ(run_program({FAILSIM_PROGRAM, "ps", "--output", "json"}).out, "[]\n");
  expect_refused("node start node-1", 69, Code::kConnectionRefused);
  EXPECT_EQ(run("down").exit, 0);
  EXPECT_EQ(run("up --detach").exit, 0);
  EXPECT_TRUE(flag_in(object("status"), "quorum"));
}

TEST_F(Cluster, DownWorksWithoutAQuorumAndWithAFrozenNode) {
  ASSERT_EQ(run("node kill node-1").exit, 0);
  const cli::RunningProcesses running = cluster().processes().value();
  ASSERT_TRUE(cli::send_signal(running.find("node-2")->process, SIGSTOP));
  EXPECT_EQ(run("down").exit, 0);
  for (const cli::RunningChild& child : running.children) {
    EXPECT_FALSE(cli::is_alive(child.process)) << child.name;
  }
}

TEST_F(Cluster, ThatStandsStillIsSaidToWhoAsksIt) {
  const cli::RunningProcesses running = cluster().processes().value();
  for (const char* node : {"node-1", "node-2", "node-3"}) {
    ASSERT_TRUE(cli::send_signal(running.find(node)->process, SIGSTOP));
  }
  const std::string why = "node-1, node-2 and node-3 stand still";
  const Outcome read = run_text("vm list --time-limit 500ms");
  EXPECT_EQ(read.exit, 124);
  EXPECT_NE(read.err.find("answered within 500 ms: " + why), std::string::npos) << read.err;
  const Outcome write = run_text("vm create web --time-limit 500ms");
  EXPECT_EQ(write.exit, 124);
  EXPECT_NE(write.err.find("not known whether this is carried out: " + why), std::string::npos)
      << write.err;
}

TEST_F(Cluster, TheLogsOfTheNodesCanBeRead) {
  const Outcome one = run_text("logs node-2");
  EXPECT_EQ(one.exit, 0);
  EXPECT_NE(one.out, "");
  const Outcome all = run_text("logs");
  EXPECT_NE(all.out.find("node-3 | "), std::string::npos);
  expect_refused("logs node-4", 105, Code::kNodeNotFound);
}

using NoCluster = ClusterTest;

TEST_F(NoCluster, ASingleNodeIsAClusterToo) {
  ASSERT_EQ(run("up --detach -n 1 --name lone").exit, 0);
  object("vm create web --memory 16MiB --start");
  EXPECT_EQ(owner("web"), "node-1");
  EXPECT_EQ(text_in(object("status"), "cluster"), "lone");
}

TEST_F(NoCluster, TwoClustersLiveSideBySide) {
  up("--name one");
  const cli::fs::path other = base_ / "other";
  const Outcome second =
      run_program({FAILSIM_PROGRAM, "up", "--detach", "--dir", other.string(), "--name", "two"});
  EXPECT_EQ(second.exit, 0) << second.err;
  const Outcome which = run_program({FAILSIM_PROGRAM, "status"});
  EXPECT_EQ(which.exit, 64);
  EXPECT_NE(which.err.find("--cluster"), std::string::npos) << which.err;
  object("vm create web --memory 16MiB");
  EXPECT_EQ(run_program({FAILSIM_PROGRAM, "--cluster", "two", "vm", "list", "--output=json"}).out,
            "[]\n");
  EXPECT_EQ(run_program({FAILSIM_PROGRAM, "down", "--cluster", "two"}).exit, 0);
}

TEST_F(NoCluster, AForegroundClusterEndsWithAnInterrupt) {
  const std::unique_ptr<Program> launcher = begin("up -n 3");
  const json::object endpoints = cli::parse_object(launcher->next_line()).value_or(json::object{});
  EXPECT_EQ(cli::array_in(endpoints, "nodes").size(), 3u);
  const cli::RunningProcesses running = cluster().processes().value();
  ::kill(launcher->pid(), SIGINT);
  EXPECT_EQ(launcher->wait().exit, 130);
  for (const cli::RunningChild& child : running.children) {
    EXPECT_FALSE(cli::is_alive(child.process)) << child.name;
  }
}

TEST_F(NoCluster, TheDemoTellsItsStoryAndLeavesNothing) {
  const Outcome demo = run_program({FAILSIM_PROGRAM, "demo"});
  EXPECT_EQ(demo.exit, 0) << demo.out << demo.err;
  for (const char* phase : {"web: Setup", "web: Data Transfer", "web: Move", "db: Canceled",
                            "node-3: killed", "nothing is left running"}) {
    EXPECT_NE(demo.out.find(phase), std::string::npos) << phase << " in\n" << demo.out;
  }
  EXPECT_EQ(run_program({FAILSIM_PROGRAM, "ps", "--output", "json"}).out, "[]\n");
}

}  // namespace
}  // namespace failsim::test
