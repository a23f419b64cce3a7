// A busy guest goes on at its target while its pages follow, between processes.
#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

class PostCopy : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    up("--faults");
    // Writes all of its memory several times a second.
    object("vm create web --memory 64MiB --dirty-rate 200MiB/s --owner node-1 --start");
    boot_ = boot_id("web");
    wait_for_counter_above("web", 2);
  }

  // What follows takes seconds: there is time to break something.
  std::unique_ptr<Program> begin_migration(const std::string& more = "") {
    return begin(
        "migrate web --to node-2 --bandwidth 16MiB/s --downtime-limit 50ms "
        "--on-no-convergence post-copy" +
        more);
  }
  std::unique_ptr<Program> migrate_until_pages_follow() {
    const std::uint64_t before = last_event();
    std::unique_ptr<Program> migration = begin_migration(" --max-rounds 1");
    wait_for_event(before, [&](const json::object& event) {
      return text_in(event, "kind") == "post-copy" && text_in(event, "vm") == "web";
    });
    return migration;
  }
  void expect_restarted(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit, 22) << outcome.err;
    EXPECT_NE(outcome.err.find("memory"), std::string::npos) << outcome.err;
    EXPECT_EQ(enum_value_in(vm("web"), "migration_state"), 5u);
    wait_for_counter_above("web", counter("web"));
    EXPECT_NE(boot_id("web"), boot_);
  }

  std::uint64_t boot_ = 0;
};

TEST_F(PostCopy, ABusyGuestThatWillNotConvergeGoesOnAtTheTargetWithEveryByte) {
  const Outcome outcome = begin_migration()->wait();
  ASSERT_EQ(outcome.exit, 0) << outcome.err;
  const json::object moved = object("migrate show web");
  EXPECT_TRUE(flag_in(moved, "post_copy"));
  EXPECT_TRUE(flag_in(moved, "digest_match"));
  EXPECT_GT(number_in(moved, "followed_pages"), 1000u);
  EXPECT_GT(number_in(moved, "requested_pages"), 0u);
  EXPECT_EQ(owner("web"), "node-2");
  EXPECT_EQ(boot_id("web"), boot_);
  wait_for_counter_above("web", counter("web"));
}

TEST_F(PostCopy, ACancelIsRefused) {
  const std::unique_ptr<Program> migration = migrate_until_pages_follow();
  EXPECT_NE(run("migrate cancel web").exit, 0);
  EXPECT_EQ(migration->wait().exit, 0);
  EXPECT_EQ(owner("web"), "node-2");
}

TEST_F(PostCopy, AKilledSourceCostsTheMemory) {
  const std::unique_ptr<Program> migration = migrate_until_pages_follow();
  ASSERT_EQ(run("node kill node-1").exit, 0);
  expect_restarted(migration->wait());
  EXPECT_NE(owner("web"), "node-1");
}

TEST_F(PostCopy, AKilledTargetCostsTheMemory) {
  const std::unique_ptr<Program> migration = migrate_until_pages_follow();
  ASSERT_EQ(run("node kill node-2").exit, 0);
  expect_restarted(migration->wait());
  EXPECT_NE(owner("web"), "node-2");
}

TEST_F(PostCopy, ALinkThatIsCutForASecondCostsTimeOnly) {
  const std::unique_ptr<Program> migration = migrate_until_pages_follow();
  object("fault inject link-cut node-1<->node-2 class=data for=1s");
  const Outcome outcome = migration->wait();
  ASSERT_EQ(outcome.exit, 0) << outcome.err;
  const json::object moved = object("migrate show web");
  EXPECT_TRUE(flag_in(moved, "digest_match"));
  EXPECT_GT(number_in(moved, "stalled_ms"), 500u);
  EXPECT_EQ(boot_id("web"), boot_);
}

}  // namespace
}  // namespace failsim::test
