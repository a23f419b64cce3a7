// A guest that goes on at its target before its pages are there, and what becomes of it when a
// side, the leader or the link is lost.

#include <gtest/gtest.h>

#include "tests/sim/story.h"
#include "tools/sim/transfer.h"

namespace failsim::sim {
namespace {

class PostCopy : public Story {
 protected:
  // A guest that writes faster than the link carries.
  static pb::VmConfig busy_vm() {
    pb::VmConfig config = small_vm();
    config.set_memory_bytes(32 * kMebibyte);
    config.set_working_set_bytes(24 * kMebibyte);
    config.set_dirty_bytes_per_second(16 * kMebibyte);
    return config;
  }

  void begin_migration(const pb::VmConfig& config = busy_vm()) {
    begin();
    leader_ = leader();
    source_ = node_beside({leader_});
    target_ = node_beside({leader_, source_});
    run_vm("web", source_, config);
    boot_ = state().vm("web")->boot_id();
    pb::MigrationParameters parameters;
    parameters.set_bandwidth_bytes_per_second(8 * kMebibyte);
    parameters.set_downtime_limit_ns(50 * kMillisecond);
    parameters.set_on_no_convergence(pb::NO_CONVERGENCE_POST_COPY);
    job_ = migrate("web", target_, parameters).task();
  }

  void migrate_until_pages_follow() {
    begin_migration();
    wait("the guest runs at the target", [this] { return executes("web", target_); });
    wait("it waits for a page", [this] { return following()->requested() > 0; });
    ASSERT_EQ(migration_state("web"), MigrationState::kMove);
  }

  const FollowingPages* following() {
    const Receiver* receiver =
        world().process(target_)->host().receiver("web", job_, last_job("web").attempt());
    return receiver == nullptr ? nullptr : receiver->following();
  }

  void expect_completed() {
    wait_for_task(job_);
    EXPECT_EQ(migration_state("web"), MigrationState::kNoMigration);
    EXPECT_EQ(owner("web"), target_);
    EXPECT_EQ(state().vm("web")->boot_id(), boot_);
    expect_alive("web", target_);
    wait("every page is checked", [this] {
      return last_job("web").statistics().digest() == pb::MigrationStatistics::DIGEST_MATCH;
    });
    pass(kSecond);
    expect_nothing_left(source_);
    expect_nothing_left(target_);
  }

  // What was in memory is lost, the disk is not.
  void expect_restarted() {
    wait_for_task(job_);
    EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
    EXPECT_TRUE(last_job("web").restarted_elsewhere());
    wait("it runs again",
         [this] { return state().vm("web")->boot_id() != boot_ && executes("web", owner("web")); });
    expect_alive("web", owner("web"));
  }

  void expect_nothing_left(NodeId node) {
    EXPECT_TRUE(world().process(node)->host().holdings().transfers.empty());
  }

  NodeId leader_ = kNoNode;
  NodeId source_ = kNoNode;
  NodeId target_ = kNoNode;
  TaskId job_ = 0;
  std::uint64_t boot_ = 0;
};

TEST_F(PostCopy, AGuestThatWillNotConvergeGoesOnAtTheTargetAndItsPagesFollow) {
  begin_migration();
  expect_completed();
  const pb::MigrationStatistics& statistics = last_job("web").statistics();
  EXPECT_TRUE(last_job("web").post_copy());
  EXPECT_GT(statistics.followed_pages(), 1000u);
  EXPECT_GT(statistics.requested_pages(), 0u);
  EXPECT_GT(statistics.stalled_ns(), 0);
  EXPECT_LT(statistics.downtime_ns(), 100 * kMillisecond);
  EXPECT_EQ(changes("migration-state", "web"),
            (std::vector<std::string>{"Setup", "Data Transfer", "Move", "No Migration"}));
  EXPECT_FALSE(world().process(source_)->host().has_guest("web"));
}

TEST_F(PostCopy, AModelledGuestSendsItsSizeOnly) {
  pb::VmConfig config = busy_vm();
  config.set_modelled(true);
  begin_migration(config);
  expect_completed();
  EXPECT_GT(last_job("web").statistics().followed_pages(), 1000u);
}

TEST_F(PostCopy, AGuestThatConvergesIsMovedAsAlways) {
  pb::VmConfig config = busy_vm();
  config.set_dirty_bytes_per_second(0);
  begin_migration(config);
  expect_completed();
  EXPECT_FALSE(last_job("web").post_copy());
}

TEST_F(PostCopy, TheNextMigrationGoesBack) {
  begin_migration();
  expect_completed();
  const TaskId back = migrate("web", source_).task();
  wait_for_task(back);
  EXPECT_EQ(owner("web"), source_);
  expect_alive("web", source_);
}

TEST_F(PostCopy, ACancelIsRefused) {
  migrate_until_pages_follow();
  EXPECT_EQ(static_cast<Code>(cancel("web").code()), Code::kInvalidState);
  expect_completed();
}

TEST_F(PostCopy, SourceDiesAndTheVmStartsAnew) {
  migrate_until_pages_follow();
  world().kill(source_, World::Evidence::kReported);
  expect_restarted();
}

TEST_F(PostCopy, SourceDiesUnseenAndTheVmStartsAnew) {
  migrate_until_pages_follow();
  world().kill(source_);
  expect_restarted();
}

TEST_F(PostCopy, SourceIsStartedAgainAndHasNothingToServe) {
  migrate_until_pages_follow();
  world().kill(source_);
  world().start(source_);
  expect_restarted();
}

TEST_F(PostCopy, TargetDiesAndTheVmStartsAnew) {
  migrate_until_pages_follow();
  world().kill(target_, World::Evidence::kReported);
  expect_restarted();
  pass(kSecond);
  expect_nothing_left(source_);
}

TEST_F(PostCopy, BothSidesDieAndTheVmStartsAnew) {
  migrate_until_pages_follow();
  world().kill(source_);
  world().kill(target_);
  pass(kSecond);
  world().start(source_);
  world().start(target_);
  expect_restarted();
}

TEST_F(PostCopy, LeaderDiesAndTheNextOneEndsIt) {
  migrate_until_pages_follow();
  world().kill(leader_);
  expect_completed();
}

TEST_F(PostCopy, SourceIsStoppedForAMomentAndTheGuestWaits) {
  migrate_until_pages_follow();
  world().stop(source_);
  pass(500 * kMillisecond);
  world().cont(source_);
  expect_completed();
}

TEST_F(PostCopy, LinkIsCutForASecondAndTheGuestWaits) {
  migrate_until_pages_follow();
  const RuleId there = world().network().add(
      source_, target_, LinkRule{.does = LinkRule::Does::kCut, .only = Traffic::kData});
  const RuleId back = world().network().add(
      target_, source_, LinkRule{.does = LinkRule::Does::kCut, .only = Traffic::kData});
  pass(500 * kMillisecond);
  EXPECT_TRUE(following()->is_stalled());
  const std::uint64_t counter_then = counter("web", target_);
  pass(500 * kMillisecond);
  EXPECT_EQ(counter("web", target_), counter_then) << "it stands still";
  EXPECT_EQ(migration_state("web"), MigrationState::kMove);
  world().network().remove(there);
  world().network().remove(back);
  expect_completed();
  EXPECT_GT(last_job("web").statistics().stalled_ns(), 500 * kMillisecond);
}

TEST_F(PostCopy, LinkIsCutOneWayAndTheGuestGoesOnAfterwards) {
  migrate_until_pages_follow();
  const RuleId cut = world().network().add(
      target_, source_, LinkRule{.does = LinkRule::Does::kCut, .only = Traffic::kData});
  pass(2 * kSecond);
  world().network().remove(cut);
  expect_completed();
}

TEST_F(PostCopy, LinkIsCutForGoodAndTheVmStartsAnewInTheEnd) {
  migrate_until_pages_follow();
  world().network().add(source_, target_,
                        LinkRule{.does = LinkRule::Does::kCut, .only = Traffic::kData});
  pass(25 * kSecond);
  EXPECT_EQ(migration_state("web"), MigrationState::kMove) << "it waits for the link";
  wait("the pages are given up",
       [this] { return migration_state("web") == MigrationState::kFailure; });
  expect_restarted();
  pass(kSecond);
  expect_nothing_left(source_);
}

TEST_F(PostCopy, TheReleaseIsLostAndTheSourceResumes) {
  begin_migration();
  wait("Move", [this] { return migration_state("web") == MigrationState::kMove; });
  world().network().add(source_, target_,
                        LinkRule{.does = LinkRule::Does::kCut, .only = Traffic::kData});
  wait_for_task(job_);
  if (owner("web") != source_) return;  // it was there already
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  EXPECT_EQ(state().vm("web")->boot_id(), boot_);
  expect_alive("web", source_);
}

TEST_F(PostCopy, WithoutAQuorumTheGuestFreezesAndGoesOnWhenItReturns) {
  migrate_until_pages_follow();
  world().partition({leader_}, {source_, target_});
  world().partition({source_}, {target_});
  pass(5 * kSecond);
  EXPECT_TRUE(stands_still("web"));
  world().network().heal_all();
  wait_for_task(job_);
  pass(3 * kSecond);
  expect_alive("web", owner("web"));
}

TEST_F(PostCopy, TheGuestStopsByItselfAndTheVmStartsAnew) {
  migrate_until_pages_follow();
  ASSERT_TRUE(world().process(target_)->host().crash_guest("web"));
  expect_restarted();
}

}  // namespace
}  // namespace failsim::sim
