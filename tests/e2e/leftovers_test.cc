// After a migration, however it ended, neither side holds what it did not hold before.
#include "tools/benchmark/leftovers.h"

#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

constexpr const char* kNodes[] = {"node-1", "node-2", "node-3"};

class Leftovers : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    up("--faults");
    object(
        "vm create web --memory 32MiB --dirty-rate 4MiB/s --working-set 8MiB --owner node-1 "
        "--start");
    // What the first of all migrations brings stays.
    for (const char* target : {"node-2", "node-1"}) {
      object(std::string("migrate web --streams 2 --to ") + target);
    }
    for (const char* node : kNodes) before_[node] = footprint(node);
  }

  // Begins one that lasts long enough to interfere with, and waits for Data Transfer.
  std::unique_ptr<Program> begin_slow() {
    const std::uint64_t before = last_event();
    std::unique_ptr<Program> program =
        begin("migrate web --to node-2 --streams 2 --bandwidth 1MiB/s");
    wait_for_migration_state(before, "web", 2);
    return program;
  }
  void expect_nothing_left() {
    std::string left;
    until([&] {
      left.clear();
      for (const char* node : kNodes) {
        if (left.empty()) left = bench::left_behind(node, before_.at(node), footprint(node));
      }
      return left.empty();
    });
    EXPECT_EQ(left, "");
  }

 private:
  bench::Footprint footprint(const std::string& node) {
    return bench::footprint_of(cluster(), client(), node);
  }

  std::map<std::string, bench::Footprint> before_;
};

TEST_F(Leftovers, OfACompletedMigrationThereAreNone) {
  object("migrate web --to node-2 --streams 4 --compression zstd");
  expect_nothing_left();
}

TEST_F(Leftovers, OfAPostCopyThereAreNone) {
  const json::object moved = object(
      "migrate web --to node-2 --bandwidth 8MiB/s --downtime-limit 1ms --max-rounds 2 "
      "--on-no-convergence post-copy");
  EXPECT_TRUE(flag_in(moved, "post_copy"));
  expect_nothing_left();
}

TEST_F(Leftovers, OfACanceledMigrationThereAreNone) {
  const std::unique_ptr<Program> migration = begin_slow();
  object("migrate cancel web");
  EXPECT_EQ(migration->wait().exit, 20);
  expect_nothing_left();
}

TEST_F(Leftovers, OfAMigrationThatFailsInDataTransferThereAreNone) {
  const std::unique_ptr<Program> migration = begin_slow();
  object("fault inject link-cut node-1->node-2 class=data --for 2s");
  EXPECT_NE(migration->wait().exit, 0);
  EXPECT_EQ(owner("web"), "node-1");
  expect_nothing_left();
}

TEST_F(Leftovers, OfAMigrationThatIsRefusedMemoryThereAreNone) {
  object("fault inject guest-fail node-2 step=prepare");
  EXPECT_NE(run("migrate web --to node-2").exit, 0);
  EXPECT_EQ(owner("web"), "node-1");
  expect_nothing_left();
}

}  // namespace
}  // namespace failsim::test
