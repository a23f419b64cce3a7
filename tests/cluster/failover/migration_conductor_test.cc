#include "cluster/failover/migration_conductor.h"

#include "cluster/error.h"
#include "cluster/migration/job.h"
#include "cluster/migration/migration_state.h"
#include "cluster/vm/task_result.h"
#include "tests/cluster/failover/leader_story.h"

namespace failsim {
namespace {

// The VM "web" migrates from node-2 to node-3.
class ConductorStory : public LeaderStory {
 protected:
  ConductorStory() {
    create_vm("web", 2);
    settle("web");
    pb::Command command;
    command.mutable_request()->mutable_migrate()->set_vm("web");
    command.mutable_request()->mutable_migrate()->set_target(3);
    ask(command);
    conductor.elected();
  }

  const pb::Vm& web() const { return *state.vm("web"); }
  const pb::Task& task() const { return *state.task(web().job()); }
  void says(NodeId side, pb::TransferStatus status, const std::string& not_converging = "") {
    says_with(index, side, status, not_converging);
  }
  // By a node that has applied no more than that.
  void says_with(Index applied, NodeId side, pb::TransferStatus status,
                 const std::string& not_converging = "") {
    pb::PeerMessage::Report::Transfer transfer;
    transfer.set_vm("web");
    transfer.set_job(task().id());
    transfer.set_attempt(task().job().attempt());
    transfer.set_status(status);
    transfer.set_error("the link broke");
    transfer.mutable_statistics()->set_rounds(3);
    transfer.mutable_statistics()->set_not_converging(not_converging);
    conductor.report(side, transfer, applied);
  }
  // The one command about the job; an empty one if nothing is proposed.
  pb::Command decide() {
    const auto commands = proposals([&](Decision& decision) { conductor.decide(decision, web()); });
    return commands.empty() ? pb::Command() : commands.at("job/web");
  }
  bool decides_nothing() { return decide().body_case() == pb::Command::BODY_NOT_SET; }
  void reach_data_transfer() {
    says(3, pb::TRANSFER_READY);
    perform(decide());
  }
  void reach_move() {
    reach_data_transfer();
    says(2, pb::TRANSFER_CONVERGED);
    perform(decide());
  }

  MigrationConductor conductor;
};

std::uint32_t number(MigrationState state) {
  return static_cast<std::uint32_t>(state);
}

TEST_F(ConductorStory, EachPhaseWaitsForItsCondition) {
  EXPECT_TRUE(decides_nothing());
  says(3, pb::TRANSFER_READY);
  pb::Command command = decide();
  EXPECT_EQ(command.advance_migration().to_phase(), number(MigrationState::kDataTransfer));
  perform(command);

  says(2, pb::TRANSFER_STREAMING);
  EXPECT_TRUE(decides_nothing());
  says(2, pb::TRANSFER_CONVERGED);
  command = decide();
  EXPECT_EQ(command.advance_migration().to_phase(), number(MigrationState::kMove));
  EXPECT_EQ(command.advance_migration().statistics().rounds(), 3u);
  perform(command);

  says(2, pb::TRANSFER_RELEASED);
  EXPECT_TRUE(decides_nothing()) << "that the source has sent all is not that the target has it";
  says(3, pb::TRANSFER_HOLDS_ALL);
  command = decide();
  EXPECT_EQ(command.complete_migration().target_incarnation(), process(3));
  perform(command);
  EXPECT_EQ(web().owner(), 3u);

  EXPECT_TRUE(decides_nothing());
  says(3, pb::TRANSFER_RESUMED);
  command = decide();
  EXPECT_TRUE(command.has_finish_migration());
  perform(command);
  EXPECT_EQ(web().job(), 0u);
}

// It sends and hears nothing: the VM would stand still there.
TEST_F(ConductorStory, TheOwnerDoesNotChangeBeforeTheTargetKnowsOfMove) {
  reach_data_transfer();
  const Index before_move = index;
  says(2, pb::TRANSFER_CONVERGED);
  perform(decide());
  says(2, pb::TRANSFER_RELEASED);
  says_with(before_move, 3, pb::TRANSFER_HOLDS_ALL);
  EXPECT_TRUE(decides_nothing());
  says(3, pb::TRANSFER_HOLDS_ALL);
  EXPECT_TRUE(decide().has_complete_migration());
}

TEST_F(ConductorStory, WhatIsOnItsWayIsNotProposedAgain) {
  says(3, pb::TRANSFER_READY);
  on_their_way[migration_key("web")] = index + 1;
  EXPECT_TRUE(decides_nothing());
}

TEST_F(ConductorStory, WhatIsSaidOfAnotherAttemptDoesNotCount) {
  pb::PeerMessage::Report::Transfer transfer;
  transfer.set_vm("web");
  transfer.set_job(task().id());
  transfer.set_attempt(task().job().attempt() + 1);
  transfer.set_status(pb::TRANSFER_READY);
  conductor.report(3, transfer, index);
  EXPECT_TRUE(decides_nothing());
}

TEST_F(ConductorStory, ANewLeaderHearsEverythingAgain) {
  says(3, pb::TRANSFER_READY);
  conductor.elected();
  EXPECT_TRUE(decides_nothing());
}

TEST_F(ConductorStory, ThatItWillNotConvergeIsRecordedOnce) {
  reach_data_transfer();
  says(2, pb::TRANSFER_STREAMING, "2 MiB stay dirty");
  const pb::Command command = decide();
  EXPECT_EQ(command.report_not_converging().statistics().not_converging(), "2 MiB stay dirty");
  perform(command);
  EXPECT_TRUE(decides_nothing());
}

TEST_F(ConductorStory, ATargetThatDiedEndsIt) {
  take_down(3, true);
  const pb::Command command = decide();
  EXPECT_EQ(command.abort_migration().error(), static_cast<std::uint32_t>(Code::kNodeDown));
  EXPECT_EQ(command.abort_migration().message(),
            "The target node-3 died during Setup; VM 'web' stays on node-2.");
}

TEST_F(ConductorStory, ATargetThatDiedHoldingAllCompletesNothing) {
  reach_move();
  says(3, pb::TRANSFER_HOLDS_ALL);
  take_down(3, true);
  EXPECT_TRUE(decide().has_abort_migration());
}

TEST_F(ConductorStory, ASourceThatFailedEndsItAtOnce) {
  reach_data_transfer();
  says(2, pb::TRANSFER_FAILED);
  EXPECT_EQ(decide().abort_migration().message(), "the link broke");
}

TEST_F(ConductorStory, ATargetThatLostItsConnectionIsBelievedWhenTheSourceLivesOnAndSaysNothing) {
  reach_data_transfer();
  says(3, pb::TRANSFER_FAILED);
  EXPECT_TRUE(decides_nothing());
  now += 2 * detection - 1;
  EXPECT_TRUE(decides_nothing());
  now += 1;
  EXPECT_TRUE(decide().has_abort_migration());
}

TEST_F(ConductorStory, ASourceThatDiedIsForTheFailoverToDealWith) {
  reach_data_transfer();
  says(3, pb::TRANSFER_FAILED);
  take_down(2, true);
  now += 4 * detection;
  EXPECT_TRUE(decides_nothing());
}

TEST_F(ConductorStory, APhaseThatTakesTooLongEndsIt) {
  now += kSetupLimit - 1;
  EXPECT_TRUE(decides_nothing());
  now += 1;
  const pb::Command command = decide();
  EXPECT_EQ(command.abort_migration().task_result(),
            static_cast<std::uint32_t>(VMTaskResult::kTimeOutError));
}

TEST_F(ConductorStory, ACommandThatMayEndAMigrationSaysHowFarItWas) {
  reach_data_transfer();
  says(2, pb::TRANSFER_STREAMING);
  pb::Command cancel;
  cancel.mutable_request()->mutable_cancel_migration()->set_vm("web");
  conductor.observe(state, cancel);
  ASSERT_EQ(cancel.observed().size(), 1);
  EXPECT_EQ(cancel.observed(0).statistics().rounds(), 3u);
}

TEST_F(ConductorStory, TheVerdictOfTheCheckIsRecordedAndAwaitedByTheNextMigration) {
  reach_move();
  says(3, pb::TRANSFER_HOLDS_ALL);
  perform(decide());
  const TaskId first = web().job();
  says(3, pb::TRANSFER_RESUMED);
  perform(decide());

  pb::Command migrate;
  migrate.mutable_request()->mutable_migrate()->set_vm("web");
  migrate.mutable_request()->mutable_migrate()->set_target(2);
  ask(migrate);
  says(2, pb::TRANSFER_READY);
  perform(decide());
  says(3, pb::TRANSFER_CONVERGED);
  EXPECT_TRUE(decides_nothing());

  pb::PeerMessage::Report::Transfer verified;
  verified.set_job(first);
  verified.set_attempt(state.task(first)->job().attempt());
  verified.set_status(pb::TRANSFER_VERIFIED);
  verified.mutable_statistics()->set_digest(pb::MigrationStatistics::DIGEST_MATCH);
  conductor.report(3, verified, index);
  const auto commands = proposals([&](Decision& decision) { conductor.decide(decision, web()); });
  ASSERT_TRUE(commands.contains("digest/web"));
  EXPECT_TRUE(commands.at("digest/web").report_digest().match());
  perform(commands.at("digest/web"));
  EXPECT_EQ(decide().advance_migration().to_phase(), number(MigrationState::kMove));
}

// ---- What somebody asked of the job -------------------------------------------------------------

class AskedJob : public ConductorStory {
 protected:
  AskedJob() { reach_data_transfer(); }
  void ask_for(RequestedState requested) {
    pb::Command command;
    command.mutable_request()->mutable_request_state_change()->set_job(task().id());
    command.mutable_request()->mutable_request_state_change()->set_requested_state(
        static_cast<std::uint32_t>(requested));
    ask(command);
  }
  JobState job_state() const { return *job_state_of(task().job().job_state()); }
};

TEST_F(AskedJob, IsSuspendedWhenItsSourceStandsStillAndRunsWhenItGoesOn) {
  ask_for(RequestedState::kSuspend);
  says(2, pb::TRANSFER_STREAMING);
  EXPECT_TRUE(decides_nothing());
  says(2, pb::TRANSFER_CONVERGED);
  EXPECT_TRUE(decides_nothing()) << "no Move for a job that is to stand still";
  says(2, pb::TRANSFER_SUSPENDED);
  perform(decide());
  EXPECT_EQ(job_state(), JobState::kSuspended);
  EXPECT_TRUE(decides_nothing());
  ask_for(RequestedState::kStart);
  EXPECT_TRUE(decides_nothing()) << "the source has not gone on yet";
  says(2, pb::TRANSFER_STREAMING);
  perform(decide());
  EXPECT_EQ(job_state(), JobState::kRunning);
}

TEST_F(AskedJob, InServiceNothingIsDecidedButItsDeath) {
  ask_for(RequestedState::kSuspend);
  says(2, pb::TRANSFER_SUSPENDED);
  perform(decide());
  ask_for(RequestedState::kService);
  EXPECT_TRUE(decides_nothing());
  take_down(3, true);
  EXPECT_TRUE(decide().has_abort_migration());
}

TEST_F(AskedJob, ThatIsTerminatedEndsWhenItsSourceStandsStill) {
  ask_for(RequestedState::kTerminate);
  says(2, pb::TRANSFER_STREAMING);
  EXPECT_TRUE(decides_nothing());
  says(2, pb::TRANSFER_SUSPENDED);
  const TaskId id = task().id();
  perform(decide());
  EXPECT_EQ(state.task(id)->result(), static_cast<std::uint32_t>(VMTaskResult::kCancelled));
  EXPECT_EQ(state.migration_state("web"), MigrationState::kCanceled);
}

TEST_F(AskedJob, ThatIsTerminatedDoesNotWaitLongForASourceThatSaysNothing) {
  ask_for(RequestedState::kTerminate);
  says(2, pb::TRANSFER_STREAMING);
  now += kShutdownLimit;
  all_are_well();
  EXPECT_EQ(decide().abort_migration().task_result(),
            static_cast<std::uint32_t>(VMTaskResult::kCancelled));
}

}  // namespace
}  // namespace failsim
