#include "tools/failsim/registry.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/temporary_directory.h"
#include "tools/failsim/directory.h"

namespace failsim::cli {
namespace {

class RegistryTest : public testing::Test {
 protected:
  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& file : fs::directory_iterator(state_ / ".running")) {
      if (file.is_regular_file()) ++count;
    }
    return count;
  }

  const TemporaryDirectory directory_;
  const fs::path state_{directory_.path()};
};

TEST_F(RegistryTest, ARunningClusterIsListedUntilItIsForgotten) {
  const Registry registry(state_);
  EXPECT_TRUE(registry.running().empty());
  registry.note({"lab", "/x/lab", 3, mark_of(::getpid()).value()});
  registry.note({"alpha", "/x/alpha", 5, mark_of(::getpid()).value()});
  const std::vector<RunningCluster> running = registry.running();
  ASSERT_EQ(running.size(), 2u);
  EXPECT_EQ(running[0].name, "alpha");
  EXPECT_EQ(running[1].directory, "/x/lab");
  registry.forget("/x/lab");
  registry.forget("/x/lab");
  EXPECT_EQ(registry.running().size(), 1u);
}

TEST_F(RegistryTest, StaleAndDamagedEntriesAreHealed) {
  const Registry registry(state_);
  ProcessMark gone = mark_of(::getpid()).value();
  gone.start_ticks += 1;
  registry.note({"stale", "/x/stale", 3, gone});
  std::ofstream(state_ / ".running" / "damaged.json") << "{\"name\":";
  EXPECT_EQ(files(), 2u);
  EXPECT_TRUE(registry.running().empty());
  EXPECT_EQ(files(), 0u);
}

TEST_F(RegistryTest, TheDirectoryOfAClusterKeepsWhatIsWrittenThere) {
  const ClusterDirectory directory(state_);
  EXPECT_FALSE(directory.description().has_value());
  directory.write_description({"lab", "127.70.1", 3, kDefaultNodeMemory});
  const ClusterDescription read = directory.description().value();
  EXPECT_EQ(read.node_address(2), "127.70.1.2");
  EXPECT_EQ(read.volume_address(), "127.70.1.254");
  EXPECT_EQ(read.node_named("node-3"), 3u);
  EXPECT_FALSE(read.node_named("node-4").has_value());
  EXPECT_FALSE(read.node_named("node-03").has_value());

  RunningProcesses running;
  running.supervisor = mark_of(::getpid()).value();
  running.children.push_back({"node-1", running.supervisor, 77});
  directory.write_processes(running);
  EXPECT_EQ(directory.supervised()->find("node-1")->instance, 77u);
  running.supervisor.start_ticks += 1;
  directory.write_processes(running);
  EXPECT_FALSE(directory.supervised().has_value());
}

}  // namespace
}  // namespace failsim::cli
