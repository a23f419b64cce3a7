// A cancel ordered before Move wins, one ordered in Move is refused; nothing is left behind.

#include "cluster/migration/job.h"
#include "tests/sim/story.h"

namespace failsim::sim {
namespace {

class Cancel : public Story {
 protected:
  void start_migration() {
    WorldConfig config;
    config.host.prepare_bytes_per_second = 4 * kMebibyte;  // Setup lasts a second
    begin(config);
    source_ = node_beside({leader()});
    target_ = node_beside({leader(), source_});
    run_vm("web", source_);
    job_ = migrate("web", target_, slow()).task();
  }

  void wait_for(MigrationState phase) {
    wait("the phase", [this, phase] { return migration_state("web") == phase; });
  }

  void expect_canceled() {
    wait_for_task(job_);
    EXPECT_EQ(migration_state("web"), MigrationState::kCanceled);
    EXPECT_EQ(owner("web"), source_);
    expect_alive("web", source_);
    pass(kSecond);
    EXPECT_TRUE(world().process(source_)->host().holdings().transfers.empty());
    EXPECT_TRUE(world().process(target_)->host().holdings().transfers.empty());
    EXPECT_FALSE(world().process(target_)->host().has_guest("web"));
  }

  NodeId source_ = kNoNode;
  NodeId target_ = kNoNode;
  TaskId job_ = 0;
};

TEST_F(Cancel, InSetupWins) {
  start_migration();
  wait_for(MigrationState::kSetup);
  EXPECT_EQ(cancel("web").code(), 0u);
  expect_canceled();
}

TEST_F(Cancel, InDataTransferWins) {
  start_migration();
  wait_for(MigrationState::kDataTransfer);
  pass(700 * kMillisecond);
  EXPECT_EQ(cancel("web").code(), 0u);
  expect_canceled();
  EXPECT_GT(last_job("web").statistics().bytes_sent(), 0u) << "what it cost is told";
}

TEST_F(Cancel, InMoveIsRefusedAndTheVmArrives) {
  start_migration();
  wait_for(MigrationState::kMove);
  EXPECT_EQ(static_cast<Code>(cancel("web").code()), Code::kInvalidState);
  wait_for_task(job_);
  EXPECT_EQ(migration_state("web"), MigrationState::kNoMigration);
  expect_alive("web", target_);
}

TEST_F(Cancel, WithoutAMigrationIsRefused) {
  begin();
  run_vm("web", leader());
  EXPECT_EQ(static_cast<Code>(cancel("web").code()), Code::kInvalidState);
  EXPECT_EQ(migration_state("web"), MigrationState::kNoMigration);
}

TEST_F(Cancel, TwiceCancelsOnce) {
  start_migration();
  wait_for(MigrationState::kDataTransfer);
  EXPECT_EQ(cancel("web").code(), 0u);
  EXPECT_EQ(static_cast<Code>(cancel("web").code()), Code::kInvalidState);
  expect_canceled();
}

TEST_F(Cancel, StaysCanceledUntilTheNextStart) {
  start_migration();
  wait_for(MigrationState::kDataTransfer);
  cancel("web");
  expect_canceled();
  pass(20 * kSecond);
  EXPECT_EQ(migration_state("web"), MigrationState::kCanceled);
  wait_for_task(migrate("web", target_).task());
  EXPECT_EQ(migration_state("web"), MigrationState::kNoMigration);
  expect_alive("web", target_);
}

TEST_F(Cancel, ByTerminatingTheJobEndsItAsTerminated) {
  start_migration();
  wait_for(MigrationState::kDataTransfer);
  pb::Request request;
  request.mutable_request_state_change()->set_job(job_);
  request.mutable_request_state_change()->set_requested_state(
      static_cast<std::uint32_t>(RequestedState::kTerminate));
  EXPECT_EQ(ask(request).return_value(), 0u);
  expect_canceled();
  EXPECT_EQ(last_job("web").job_state(), static_cast<std::uint32_t>(JobState::kTerminated));
}

// The answer of the first leader is lost with it; the outcome is not.
TEST_F(Cancel, OrderedJustBeforeTheLeaderDiesIsDecidedOnce) {
  start_migration();
  wait_for(MigrationState::kDataTransfer);
  pb::Request request;
  request.set_client("other");
  request.set_sequence(1);
  request.mutable_cancel_migration()->set_vm("web");
  world().ask(source_, request, [](const pb::Reply&) {});
  pass(2 * kMillisecond);
  world().kill(leader());
  wait_for_task(job_);
  const bool is_canceled = migration_state("web") == MigrationState::kCanceled;
  expect_alive("web", is_canceled ? source_ : target_);
}

}  // namespace
}  // namespace failsim::sim
