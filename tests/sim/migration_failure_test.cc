// What becomes of a migration when a side, the leader, a link or the quorum is lost, in each phase.

#include <gtest/gtest.h>

#include "tests/sim/story.h"
#include "tools/sim/transfer.h"

namespace failsim::sim {
namespace {

class BrokenMigration : public Story, public testing::WithParamInterface<MigrationState> {
 protected:
  // In the phase, at its first moment.
  void migrate_until(MigrationState phase) {
    WorldConfig config;
    config.host.prepare_bytes_per_second = 4 * kMebibyte;  // Setup lasts a second
    begin(config);
    leader_ = leader();
    source_ = node_beside({leader_});
    target_ = node_beside({leader_, source_});
    run_vm("web", source_);
    job_ = migrate("web", target_, slow()).task();
    wait("the phase", [this, phase] { return migration_state("web") == phase; });
  }

  // The target has everything and the source's word, and nothing is decided yet.
  void migrate_until_target_holds_all() {
    migrate_until(MigrationState::kMove);
    wait("the target holds all", [this] {
      const Receiver* receiver =
          world().process(target_)->host().receiver("web", job_, last_job("web").attempt());
      return receiver != nullptr && receiver->may_resume();
    });
    ASSERT_EQ(migration_state("web"), MigrationState::kMove);
  }

  bool source_is_paused() {
    const auto holdings = world().process(source_)->host().holdings();
    return !holdings.guests.empty() && holdings.guests.front().held_by_transfer;
  }

  void expect_failed_on_source() {
    wait_for_task(job_);
    EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
    EXPECT_EQ(owner("web"), source_);
    expect_alive("web", source_);
    EXPECT_FALSE(last_job("web").restarted_elsewhere());
    pass(kSecond);
    EXPECT_TRUE(world().process(source_)->host().holdings().transfers.empty());
  }

  void expect_completed() {
    wait_for_task(job_);
    EXPECT_EQ(migration_state("web"), MigrationState::kNoMigration);
    EXPECT_EQ(owner("web"), target_);
    expect_alive("web", target_);
  }

  NodeId leader_ = kNoNode;
  NodeId source_ = kNoNode;
  NodeId target_ = kNoNode;
  TaskId job_ = 0;
};

std::string phase_name(const testing::TestParamInfo<MigrationState>& info) {
  std::string text(name(info.param));
  std::erase(text, ' ');
  return text;
}

INSTANTIATE_TEST_SUITE_P(InEachPhase, BrokenMigration,
                         testing::Values(MigrationState::kSetup, MigrationState::kDataTransfer,
                                         MigrationState::kMove),
                         phase_name);

TEST_P(BrokenMigration, TargetDiesAndTheVmStaysOnTheSource) {
  migrate_until(GetParam());
  world().kill(target_, World::Evidence::kReported);
  expect_failed_on_source();
}

TEST_P(BrokenMigration, TargetDiesUnseenAndTheVmStaysOnTheSource) {
  migrate_until(GetParam());
  world().kill(target_);
  expect_failed_on_source();
}

TEST_P(BrokenMigration, SourceDiesAndTheVmIsRestartedElsewhere) {
  migrate_until(GetParam());
  const std::uint64_t boot = state().vm("web")->boot_id();
  world().kill(source_, World::Evidence::kReported);
  wait_for_task(job_);
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  EXPECT_TRUE(last_job("web").restarted_elsewhere());
  EXPECT_NE(owner("web"), source_);
  EXPECT_GT(state().vm("web")->boot_id(), boot);
  wait("it runs again", [this] { return executes("web", owner("web")); });
  expect_alive("web", owner("web"));
}

TEST_P(BrokenMigration, LeaderDiesAndTheNextOneFinishesIt) {
  migrate_until(GetParam());
  world().kill(leader_);
  expect_completed();
}

TEST_P(BrokenMigration, LeaderIsStoppedAndTheNextOneFinishesIt) {
  migrate_until(GetParam());
  world().stop(leader_);
  wait_for_task(job_);
  world().cont(leader_);
  expect_completed();
}

TEST_P(BrokenMigration, LinkBetweenTheSidesIsLostAndTheVmStaysOnTheSource) {
  migrate_until(GetParam());
  world().partition({source_}, {target_});
  wait_for_task(job_);
  // In Move the last pages may have been on their way already.
  if (GetParam() != MigrationState::kMove) {
    expect_failed_on_source();
  } else {
    expect_alive("web", owner("web"));
  }
}

TEST_P(BrokenMigration, SourceIsCutOffAndTheVmMovesOnlyAfterItsLease) {
  migrate_until(GetParam());
  world().partition({source_}, {leader_, target_});
  wait(
      "its lease is over", [this] { return !executes("web", source_); }, 5 * kSecond);
  wait("another has it",
       [this] { return owner("web") != source_ && executes("web", owner("web")); });
  EXPECT_FALSE(executes("web", source_));
  wait_for_task(job_);
  world().network().heal_all();
  pass(3 * kSecond);
  EXPECT_FALSE(world().process(source_)->host().has_guest("web"));
  expect_alive("web", owner("web"));
}

TEST_P(BrokenMigration, SourceIsStoppedForLongAndNothingRunsTwice) {
  migrate_until(GetParam());
  world().stop(source_);
  pass(10 * kSecond);
  world().cont(source_);
  wait_for_task(job_);
  pass(3 * kSecond);
  expect_alive("web", owner("web"));
}

TEST_P(BrokenMigration, TargetIsStoppedForLongAndNothingRunsTwice) {
  migrate_until(GetParam());
  world().stop(target_);
  pass(10 * kSecond);
  world().cont(target_);
  wait_for_task(job_);
  pass(3 * kSecond);
  expect_alive("web", owner("web"));
}

class BrokenMove : public BrokenMigration {};

TEST_F(BrokenMove, TargetRefusesInSetup) {
  begin();
  source_ = leader();
  target_ = node_beside({source_});
  run_vm("web", source_);
  world().process(target_)->host().faults().fail(HostStep::kPrepare);
  job_ = migrate("web", target_).task();
  expect_failed_on_source();
  EXPECT_EQ(changes("migration-state", "web"), (std::vector<std::string>{"Setup", "Failure"}));
}

TEST_F(BrokenMove, SourceDiesWhenTheTargetHoldsAllAndTheLeaderCompletes) {
  migrate_until_target_holds_all();
  const std::uint64_t boot = state().vm("web")->boot_id();
  world().kill(source_);
  expect_completed();
  EXPECT_EQ(state().vm("web")->boot_id(), boot) << "the released image went on";
}

TEST_F(BrokenMove, TargetDiesHoldingAllAndTheSourceResumesAfterTheAbort) {
  migrate_until_target_holds_all();
  ASSERT_TRUE(source_is_paused());
  world().kill(target_, World::Evidence::kReported);
  expect_failed_on_source();
}

TEST_F(BrokenMove, TargetDiesAfterCompleteAndTheVmIsRestarted) {
  migrate_until(MigrationState::kMove);
  wait("Complete is committed", [this] { return owner("web") == target_; });
  const std::uint64_t boot = state().vm("web")->boot_id();
  world().kill(target_, World::Evidence::kReported);
  wait("it runs elsewhere",
       [this] { return owner("web") != target_ && executes("web", owner("web")); });
  EXPECT_GT(state().vm("web")->boot_id(), boot);
  expect_alive("web", owner("web"));
  wait_for_task(job_);
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  EXPECT_TRUE(last_job("web").restarted_elsewhere());
}

TEST_F(BrokenMove, WithoutAQuorumTheGuestStaysFrozenUntilItReturns) {
  migrate_until(MigrationState::kMove);
  wait("the source has paused", [this] { return source_is_paused(); });
  world().partition({leader_}, {source_, target_});
  world().partition({source_}, {target_});
  pass(20 * kSecond);
  EXPECT_TRUE(stands_still("web"));
  EXPECT_TRUE(source_is_paused()) << "no timer resumes it";
  world().network().heal_all();
  wait_for_task(job_);
  pass(kSecond);
  expect_alive("web", owner("web"));
}

// The target lives and holds the image; only its process was replaced by another one.
TEST_F(BrokenMove, ARestartedTargetDoesNotPretendToHaveTheImage) {
  migrate_until_target_holds_all();
  world().kill(target_);
  world().start(target_);
  wait_for_task(job_);
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  pass(3 * kSecond);
  expect_alive("web", owner("web"));
}

}  // namespace
}  // namespace failsim::sim
