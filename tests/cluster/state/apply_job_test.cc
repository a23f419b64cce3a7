// RequestStateChange and cancel, as the log sees them.

#include "cluster/migration/progress.h"
#include "tests/cluster/state/small_cluster.h"

namespace failsim {
namespace {

using Texts = std::vector<std::string>;

class Request : public SmallCluster {
 protected:
  Request() {
    run_vm("web", 1);
    job = static_cast<TaskId>(migrate("web", 2).task());
  }
  std::uint32_t asked(RequestedState requested, Duration period = 0) {
    return request_state(job, requested, period).return_value();
  }

  static constexpr std::uint32_t kInvalidState = 32775;
  TaskId job = 0;
};

TEST_F(Request, SuspendAndStartGoThroughTheirStates) {
  ASSERT_TRUE(begin_transfer(job));
  EXPECT_EQ(asked(RequestedState::kSuspend), 0u);
  EXPECT_EQ(job_state(job), JobState::kRunning) << "the transfer has not come to rest yet";
  EXPECT_EQ(outcomes(job), Texts{"Suspend: "});
  ASSERT_TRUE(source_followed(job));
  EXPECT_EQ(job_state(job), JobState::kSuspended);
  EXPECT_EQ(phase("web"), MigrationState::kDataTransfer);
  EXPECT_EQ(asked(RequestedState::kStart), 0u);
  EXPECT_EQ(job_state(job), JobState::kStarting);
  ASSERT_TRUE(source_followed(job));
  EXPECT_EQ(job_state(job), JobState::kRunning);
  EXPECT_FALSE(source_followed(job)) << "nothing was asked for any more";
  EXPECT_EQ(outcomes(job), (Texts{"Suspend: Done.", "Start: Done."}));
  EXPECT_EQ(steps(job),
            (Texts{"Running -> Suspended", "Suspended -> Starting", "Starting -> Running"}));
}

TEST_F(Request, ASuspendedJobDoesNotEnterMove) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kSuspend), 0u);
  EXPECT_FALSE(advance(job, MigrationState::kDataTransfer, MigrationState::kMove));
  ASSERT_TRUE(source_followed(job));
  EXPECT_FALSE(advance(job, MigrationState::kDataTransfer, MigrationState::kMove));
  ASSERT_EQ(asked(RequestedState::kStart), 0u);
  ASSERT_TRUE(source_followed(job));
  EXPECT_TRUE(advance(job, MigrationState::kDataTransfer, MigrationState::kMove));
}

TEST_F(Request, InMoveNothingIsTakenAndTheDeadlineStays) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_TRUE(advance(job, MigrationState::kDataTransfer, MigrationState::kMove));
  const std::int64_t deadline = of(job).phase_deadline_ns();
  for (const RequestedState requested :
       {RequestedState::kStart, RequestedState::kSuspend, RequestedState::kTerminate,
        RequestedState::kKill, RequestedState::kService}) {
    EXPECT_EQ(asked(requested), kInvalidState);
  }
  EXPECT_EQ(of(job).phase_deadline_ns(), deadline);
  EXPECT_EQ(job_state(job), JobState::kRunning);
  EXPECT_EQ(outcomes(job).front(),
            "Start: Refused: The migration is in Move, where it can neither stand still nor be "
            "called off.");
}

TEST_F(Request, TerminateEndsInOrderAndAStartCannotUndoIt) {
  ASSERT_TRUE(begin_transfer(job));
  EXPECT_EQ(asked(RequestedState::kTerminate), 0u);
  EXPECT_EQ(job_state(job), JobState::kShuttingDown);
  EXPECT_EQ(of(job).phase_deadline_ns(), now + kShutdownLimit);
  EXPECT_EQ(asked(RequestedState::kStart), kInvalidState);
  EXPECT_EQ(asked(RequestedState::kSuspend), kInvalidState);
  EXPECT_EQ(asked(RequestedState::kTerminate), 0u);
  EXPECT_FALSE(source_followed(job));
  EXPECT_FALSE(advance(job, MigrationState::kDataTransfer, MigrationState::kMove));
  ASSERT_TRUE(abort(job, VMTaskResult::kCancelled));
  EXPECT_EQ(job_state(job), JobState::kTerminated);
  EXPECT_EQ(phase("web"), MigrationState::kCanceled);
  EXPECT_EQ(task(job).result(), static_cast<std::uint32_t>(VMTaskResult::kCancelled));
  EXPECT_EQ(
      outcomes(job),
      (Texts{"Terminate: Done.",
             "Start: Refused: The job is ShuttingDown, and there is no way back to Start.",
             "Suspend: Refused: The job is ShuttingDown, and there is no way back to Suspend.",
             "Terminate: It was under way already."}));
}

TEST_F(Request, ARefusalSaysWhyAndWhatNext) {
  const auto told = [this](RequestedState requested) {
    const pb::Reply reply = request_state(job, requested, 0);
    EXPECT_EQ(reply.code(), 0u) << "an answer of the job";
    return reply.message() + " " + reply.next();
  };
  EXPECT_EQ(told(RequestedState::kSuspend),
            "The migration is in Setup, and sends nothing yet that could stand still. Ask again in "
            "Data Transfer, or call it off with Terminate.");
  ASSERT_TRUE(begin_transfer(job));
  EXPECT_EQ(told(RequestedState::kService),
            "The job is Running, and only a Suspended one can be held in Service. Ask for Suspend "
            "first.");
  EXPECT_EQ(told(RequestedState::kKill), " ") << "it was not refused";
  EXPECT_EQ(told(RequestedState::kKill),
            "The job has ended: it is Killed. Begin another migration if one is wanted: 'failsim "
            "migrate VM --to NODE'.");
}

TEST_F(Request, ACancelOfNothingSaysWhatMigrationStateIs) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kKill), 0u);
  const auto refusal = [this] {
    const pb::Reply reply = cancel("web");
    EXPECT_EQ(static_cast<Code>(reply.code()), Code::kInvalidState);
    return reply.message();
  };
  EXPECT_EQ(refusal(),
            "Cannot cancel the migration of VM 'web': there is none under way, and its "
            "MigrationState is Canceled.");
  ASSERT_EQ(set(ObjectKind::kVm, "web", "MigrationState", "2").code(), 0u);
  EXPECT_NE(refusal().find("MigrationState is Data Transfer."), std::string::npos) << refusal();
  ASSERT_EQ(set(ObjectKind::kVm, "web", "MigrationState", "3").code(), 0u);
  EXPECT_NE(refusal().find("MigrationState is Move."), std::string::npos) << refusal();
}

TEST_F(Request, ACancelOfNothingAdvisesWhatShowsSomething) {
  run_vm("db", 1);
  EXPECT_EQ(cancel("db").next(), "See which VMs are being migrated: 'failsim migrate list'.");
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kKill), 0u);
  EXPECT_EQ(cancel("web").next(), "See how the latest one ended: 'failsim migrate show web'.");
}

TEST_F(Request, ABandwidthAtWhichTheSidesWouldThinkEachOtherDeadIsRefused) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kKill), 0u);
  pb::Request request;
  request.mutable_migrate()->set_vm("web");
  request.mutable_migrate()->set_target(2);
  pb::MigrationParameters& parameters = *request.mutable_migrate()->mutable_parameters();
  parameters.set_bandwidth_bytes_per_second(100);
  const pb::Reply refused = ask(request);
  EXPECT_EQ(static_cast<Code>(refused.code()), Code::kInvalidParameter);
  EXPECT_NE(refused.message().find("64 KiB/s"), std::string::npos) << refused.message();
  parameters.set_bandwidth_bytes_per_second(64 * 1024);
  EXPECT_EQ(ask(request).code(), 0u);
}

TEST_F(Request, WhateverEndsAJobThatShutsDownItIsCanceled) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kTerminate), 0u);
  ASSERT_TRUE(abort(job, VMTaskResult::kTimeOutError));
  EXPECT_EQ(job_state(job), JobState::kTerminated);
  EXPECT_EQ(phase("web"), MigrationState::kCanceled);
  EXPECT_EQ(reason("web"), "S_OK");
}

TEST_F(Request, KillEndsAtOnceAlsoWhatIsBeingTerminated) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kTerminate), 0u);
  EXPECT_EQ(asked(RequestedState::kKill), 0u);
  EXPECT_EQ(job_state(job), JobState::kKilled);
  EXPECT_EQ(phase("web"), MigrationState::kCanceled);
  EXPECT_EQ(outcomes(job), (Texts{"Terminate: Overwritten by Kill.", "Kill: Done."}));
}

TEST_F(Request, ServiceHoldsASuspendedJobUntilStart) {
  ASSERT_TRUE(begin_transfer(job));
  EXPECT_EQ(asked(RequestedState::kService), kInvalidState);
  ASSERT_EQ(asked(RequestedState::kSuspend), 0u);
  EXPECT_EQ(asked(RequestedState::kService), kInvalidState) << "it is not Suspended yet";
  ASSERT_TRUE(source_followed(job));
  EXPECT_EQ(asked(RequestedState::kService), 0u);
  EXPECT_EQ(job_state(job), JobState::kService);
  EXPECT_FALSE(source_followed(job));
  EXPECT_EQ(asked(RequestedState::kSuspend), kInvalidState);
  EXPECT_EQ(asked(RequestedState::kStart), 0u);
  EXPECT_EQ(job_state(job), JobState::kStarting);
}

TEST_F(Request, ALaterOneOverwritesAnEarlierOne) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kSuspend), 0u);
  EXPECT_EQ(asked(RequestedState::kStart), 0u);
  EXPECT_FALSE(source_followed(job)) << "it runs on";
  EXPECT_EQ(job_state(job), JobState::kRunning);
  EXPECT_EQ(outcomes(job), (Texts{"Suspend: Overwritten by Start.",
                                  "Start: Done: the transfer had not come to rest yet."}));
  ASSERT_EQ(asked(RequestedState::kSuspend), 0u);
  ASSERT_TRUE(source_followed(job));
  ASSERT_EQ(asked(RequestedState::kStart), 0u);
  EXPECT_EQ(asked(RequestedState::kSuspend), 0u) << "it takes the Start back";
  ASSERT_TRUE(source_followed(job));
  EXPECT_EQ(job_state(job), JobState::kSuspended);
}

TEST_F(Request, OneThatIsDoneAfterItsPeriodSaysSo) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kSuspend, kSecond), 0u);
  EXPECT_EQ(of(job).requests(0).deadline_ns(), now + kSecond);
  now += 2 * kSecond;
  ASSERT_TRUE(source_followed(job));
  EXPECT_EQ(outcomes(job), Texts{"Suspend: Done. Its TimeoutPeriod was over by then."});
}

TEST_F(Request, WhatTheEndOfTheJobOvertookIsSaid) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kSuspend), 0u);
  ASSERT_TRUE(abort(job));
  EXPECT_EQ(outcomes(job), Texts{"Suspend: The job ended first: Exception."});
  EXPECT_EQ(reason("web"), "E_FAIL");
}

TEST_F(Request, OnlyTheNewestAreRemembered) {
  for (int i = 0; i < 40; ++i) asked(RequestedState::kStart);
  EXPECT_EQ(of(job).requests_size(), 16);
}

TEST_F(Request, TheTimeOfTheLastChangeIsThatOfAChange) {
  ASSERT_TRUE(begin_transfer(job));
  EXPECT_EQ(of(job).state_changed_ns(), now);
  const Duration changed = now;
  now += kSecond;
  ASSERT_EQ(asked(RequestedState::kService), kInvalidState);
  EXPECT_EQ(of(job).state_changed_ns(), changed) << "a refused request changes nothing";
}

TEST_F(Request, ACancelOfWhatIsBeingTerminatedChangesNothing) {
  ASSERT_TRUE(begin_transfer(job));
  ASSERT_EQ(asked(RequestedState::kTerminate), 0u);
  const pb::Reply reply = cancel("web");
  EXPECT_EQ(reply.code(), 0u);
  EXPECT_EQ(reply.job_state(), static_cast<std::uint32_t>(JobState::kShuttingDown));
  EXPECT_EQ(job_state(job), JobState::kShuttingDown);
}

TEST_F(Request, ACanceledJobStaysAsFarAsItWasHeardToBe) {
  ASSERT_TRUE(begin_transfer(job));
  EXPECT_EQ(task(job).progress(), kProgressInTransfer);
  pb::Command command;
  command.mutable_request()->set_client("test");
  command.mutable_request()->set_sequence(index + 1);
  command.mutable_request()->mutable_cancel_migration()->set_vm("web");
  pb::Command::Observed& observed = *command.add_observed();
  observed.set_job(job);
  observed.mutable_statistics()->set_bytes_sent(450'000);
  observed.mutable_statistics()->set_remaining_bytes(550'000);
  perform(command);
  EXPECT_EQ(job_state(job), JobState::kTerminated);
  EXPECT_EQ(task(job).progress(), 44u);
}

TEST_F(Request, ASecondMigrationIsBusyAndTheReasonSaysSo) {
  const pb::Reply reply = migrate("web", 3);
  EXPECT_EQ(static_cast<Code>(reply.code()), Code::kClusterBusy);
  EXPECT_EQ(reason("web"), "E_BUSY");
  ASSERT_TRUE(begin_transfer(job));
  cancel("web");
  EXPECT_EQ(reason("web"), "S_OK");
}

}  // namespace
}  // namespace failsim
