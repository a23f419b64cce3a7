// Live migrations that nothing disturbs, and those that only the guest makes hard.

#include <algorithm>

#include "cluster/migration/job.h"
#include "cluster/vm/task_result.h"
#include "tests/sim/story.h"
#include "tools/sim/guest_runner.h"
#include "tools/sim/host.h"
#include "tools/sim/transfer.h"

namespace failsim::sim {
namespace {

using Names = std::vector<std::string>;

class Migration : public Story {
 protected:
  // Writes faster than slow() sends.
  static pb::VmConfig busy_vm() {
    pb::VmConfig busy = small_vm();
    busy.set_working_set_bytes(4 * kMebibyte);
    busy.set_dirty_bytes_per_second(64 * kMebibyte);
    return busy;
  }
  // Events that say a migration will not converge.
  std::ptrdiff_t told_since(std::uint64_t since) {
    const auto& events = world().checker().events();
    return std::count_if(events.begin(), events.end(), [&](const pb::EventRecord& event) {
      return event.kind() == "not-converging" && event.number() > since;
    });
  }
};

TEST_F(Migration, MovesARunningGuestThatGoesOnCounting) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source);
  const std::uint64_t boot = state().vm("web")->boot_id();
  const std::uint64_t before = counter("web", source);
  const std::uint64_t since = last_event();

  const pb::Reply reply = migrate("web", target, slow());
  ASSERT_EQ(reply.code(), 0u) << reply.message();
  wait_for_task(reply.task());

  EXPECT_EQ(owner("web"), target);
  EXPECT_EQ(changes("migration-state", "web", since),
            (Names{"Setup", "Data Transfer", "Move", "No Migration"}));
  EXPECT_EQ(changes("owner", "web", since), Names{node_name(target)});
  EXPECT_EQ(state().vm("web")->boot_id(), boot) << "its memory has lived on";
  EXPECT_GT(counter("web", target), before);
  EXPECT_FALSE(world().process(source)->host().has_guest("web"));
  expect_alive("web", target);
  pass(kSecond);
  EXPECT_EQ(last_job("web").statistics().digest(), pb::MigrationStatistics::DIGEST_MATCH);
  EXPECT_LE(last_job("web").statistics().downtime_ns(), 300 * kMillisecond);
}

TEST_F(Migration, GoesThereAndBackManyTimes) {
  begin();
  const NodeId first = leader();
  const NodeId second = node_beside({first});
  run_vm("web", first);
  for (int i = 0; i < 10; ++i) {
    const NodeId target = owner("web") == first ? second : first;
    const pb::Reply reply = migrate("web", target);
    ASSERT_EQ(reply.code(), 0u) << reply.message();
    wait_for_task(reply.task());
    ASSERT_EQ(owner("web"), target);
  }
  expect_alive("web", first);
}

TEST_F(Migration, VerifiesBeforeTheResumeWhenAsked) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source);
  pb::MigrationParameters parameters;
  parameters.set_verify(pb::VERIFY_BEFORE_RESUME);
  wait_for_task(migrate("web", target, parameters).task());
  pass(kSecond);
  EXPECT_EQ(last_job("web").statistics().digest(), pb::MigrationStatistics::DIGEST_MATCH);
}

TEST_F(Migration, AForgottenPageIsFound) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source);
  world().process(source)->host().faults().fail(HostStep::kKeepPage);
  wait_for_task(migrate("web", target, slow()).task());
  pass(kSecond);
  EXPECT_EQ(last_job("web").statistics().digest(), pb::MigrationStatistics::DIGEST_MISMATCH);
  expect_violation("S10");
}

TEST_F(Migration, AGuestThatDirtiesFasterThanTheLinkIsSwitchedAtTheRoundLimit) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source, busy_vm());
  pb::MigrationParameters parameters = slow();
  parameters.set_max_rounds(3);
  wait_for_task(migrate("web", target, parameters).task());
  EXPECT_EQ(owner("web"), target);
  EXPECT_TRUE(last_job("web").statistics().forced_switch());
  EXPECT_GT(last_job("web").statistics().downtime_ns(), 300 * kMillisecond);
  EXPECT_NE(last_job("web").statistics().downtime_cause(), "");
}

TEST_F(Migration, ThatItWillNotConvergeIsAnEventAndKeptWithTheJob) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source, busy_vm());
  pb::MigrationParameters parameters = slow();
  parameters.set_max_rounds(6);
  const std::uint64_t since = last_event();
  const TaskId job = migrate("web", target, parameters).task();
  wait("it is told", [&] { return told_since(since) == 1; });
  EXPECT_FALSE(state().task(job)->complete()) << "it goes on";
  wait_for_task(job);
  EXPECT_EQ(told_since(since), 1) << "once";
  const pb::MigrationStatistics& statistics = last_job("web").statistics();
  EXPECT_NE(statistics.not_converging(), "");
  EXPECT_EQ(statistics.rounds(), 6u);
  EXPECT_GE(statistics.dirty_bytes_per_second(), 8 * kMebibyte) << "at least";
  EXPECT_GE(statistics.working_set_bytes(), 3 * kMebibyte);
  EXPECT_LE(statistics.working_set_bytes(), 5 * kMebibyte);
}

TEST_F(Migration, ThatMustConvergeAndDoesNotFailsInThreeRounds) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source, busy_vm());
  pb::MigrationParameters parameters = slow();
  parameters.set_on_no_convergence(pb::NO_CONVERGENCE_FAIL);
  const TaskId job = migrate("web", target, parameters).task();
  wait_for_task(job);
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  EXPECT_EQ(state().task(job)->result(), static_cast<std::uint32_t>(VMTaskResult::kTimeOutError));
  EXPECT_NE(state().task(job)->error_message().find("what would do is"), std::string::npos);
  EXPECT_EQ(last_job("web").statistics().rounds(), 3u);
  expect_alive("web", source);
}

TEST_F(Migration, ThrottlesAGuestUntilItFits) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source, busy_vm());
  pb::MigrationParameters parameters = slow();
  parameters.set_on_no_convergence(pb::NO_CONVERGENCE_THROTTLE);
  wait_for_task(migrate("web", target, parameters).task());
  EXPECT_EQ(owner("web"), target);
  const pb::MigrationJob& job = last_job("web");
  EXPECT_FALSE(job.statistics().forced_switch());
  EXPECT_GE(job.statistics().throttle_percent(), 20u);
  EXPECT_LE(job.statistics().downtime_ns(), 300 * kMillisecond);
  expect_alive("web", target);
}

TEST_F(Migration, AGuestThatWasThrottledRunsAtFullSpeedAfterACancel) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source, busy_vm());
  pb::MigrationParameters parameters = slow();
  parameters.set_on_no_convergence(pb::NO_CONVERGENCE_THROTTLE);
  parameters.set_throttle_first_percent(99);
  const TaskId job = migrate("web", target, parameters).task();
  GuestRunner& guest = *world().process(source)->host().runner("web");
  wait("it is throttled", [&] { return guest.throttle_percent() == 99; });
  cancel("web");
  wait_for_task(job);
  EXPECT_EQ(migration_state("web"), MigrationState::kCanceled);
  EXPECT_EQ(guest.throttle_percent(), 0u);
  const std::uint64_t before = counter("web", source);
  pass(kSecond);
  EXPECT_GE(counter("web", source), before + 50);
}

TEST_F(Migration, ItsRoundsAreKeptWithTheJob) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source, busy_vm());
  pb::MigrationParameters parameters = slow();
  parameters.set_max_rounds(7);
  wait_for_task(migrate("web", target, parameters).task());
  const pb::MigrationJob& job = last_job("web");
  ASSERT_EQ(job.rounds_size(), 7);
  std::uint64_t sent = 0;
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(job.rounds(i).number(), static_cast<std::uint32_t>(i));
    EXPECT_GT(job.rounds(i).duration_ns(), 0);
    sent += job.rounds(i).sent_bytes();
  }
  EXPECT_LE(sent, job.statistics().bytes_sent());
}

TEST_F(Migration, ItsRoundsAreKeptWhenItIsCanceled) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source, busy_vm());
  const TaskId job = migrate("web", target, slow()).task();
  wait("some rounds have ended", [&] { return state().task(job)->job().rounds_size() >= 2; });
  cancel("web");
  wait_for_task(job);
  const int rounds = state().task(job)->job().rounds_size();
  EXPECT_GE(rounds, 2);
  EXPECT_EQ(state().task(job)->job().rounds(rounds - 1).number() + 1,
            static_cast<std::uint32_t>(rounds));
}

TEST_F(Migration, WithImpossibleLimitsIsRefused) {
  begin();
  const NodeId source = leader();
  run_vm("web", source);
  const NodeId target = node_beside({source});
  constexpr auto kRefused = static_cast<std::uint32_t>(Code::kInvalidParameter);
  pb::MigrationParameters parameters = slow();
  parameters.set_max_downtime_ns(100 * kMillisecond);
  EXPECT_EQ(migrate("web", target, parameters).code(), kRefused);
  parameters = slow();
  parameters.set_timeout_ns(-1);
  EXPECT_EQ(migrate("web", target, parameters).code(), kRefused);
  parameters = slow();
  parameters.set_on_no_convergence(static_cast<pb::OnNoConvergence>(9));
  EXPECT_EQ(migrate("web", target, parameters).code(), kRefused);
}

TEST_F(Migration, AModelledGuestOfManyGibibytesMovesToo) {
  WorldConfig config;
  config.node_memory_bytes = std::uint64_t{128} << 30;
  begin(config);
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  pb::VmConfig large;
  large.set_modelled(true);
  large.set_memory_bytes(std::uint64_t{8} << 30);
  large.set_working_set_bytes(std::uint64_t{1} << 30);
  large.set_dirty_bytes_per_second(100 * kMebibyte);
  run_vm("database", source, large);
  const pb::Reply reply = migrate("database", target);
  ASSERT_EQ(reply.code(), 0u) << reply.message();
  wait_for_task(reply.task());
  EXPECT_EQ(owner("database"), target);
  EXPECT_GT(last_job("database").statistics().bytes_sent(), std::uint64_t{8} << 30);
  expect_alive("database", target);
}

TEST_F(Migration, IsRefusedWithoutATraceWhenItMakesNoSense) {
  begin();
  const NodeId source = leader();
  run_vm("web", source);
  const std::uint64_t since = last_event();
  EXPECT_NE(migrate("web", source).code(), 0u) << "to where it is";
  EXPECT_NE(migrate("web", 9).code(), 0u) << "to nowhere";
  EXPECT_NE(migrate("nothing", node_beside({source})).code(), 0u);
  EXPECT_EQ(last_event(), since);
  EXPECT_EQ(migration_state("web"), MigrationState::kNoMigration);
}

TEST_F(Migration, ASecondOneOfTheSameVmIsRefused) {
  begin();
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source);
  const pb::Reply first = migrate("web", target, slow());
  const pb::Reply second = migrate("web", node_beside({source, target}), slow());
  EXPECT_NE(second.code(), 0u);
  wait_for_task(first.task());
  EXPECT_EQ(owner("web"), target);
}

TEST_F(Migration, WithoutRoomOnTheTargetIsRefusedAndChangesNothing) {
  WorldConfig config;
  config.node_memory_bytes = 6 * kMebibyte;
  begin(config);
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  run_vm("web", source);
  run_vm("shop", target);
  EXPECT_EQ(static_cast<Code>(migrate("web", target).code()), Code::kNoSystemResources);
  expect_alive("web", source);
}

TEST_F(Migration, IsTheSameWhenEveryMessageTravelsAsBytes) {
  std::uint64_t hashes[2] = {};
  for (const bool encoded : {false, true}) {
    WorldConfig config;
    config.encode_messages = encoded;
    begin(config);
    const NodeId source = leader();
    run_vm("web", source);
    wait_for_task(migrate("web", node_beside({source}), slow()).task());
    hashes[encoded ? 1 : 0] = world().trace().hash();
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

// ---- Suspend and Start --------------------------------------------------------------------------

class AskedMigration : public Migration {
 protected:
  void start() {
    begin();
    source_ = leader();
    target_ = node_beside({source_});
    run_vm("web", source_);
    job_ = migrate("web", target_, slow()).task();
    wait("data transfer",
         [this] { return migration_state("web") == MigrationState::kDataTransfer; });
  }
  std::uint32_t request(RequestedState requested) {
    pb::Request request;
    request.mutable_request_state_change()->set_job(job_);
    request.mutable_request_state_change()->set_requested_state(
        static_cast<std::uint32_t>(requested));
    return ask(request).return_value();
  }
  void wait_for_state(JobState state) {
    wait(std::string(name(state)),
         [this, state] { return *job_state_of(last_job("web").job_state()) == state; });
  }

  NodeId source_ = kNoNode;
  NodeId target_ = kNoNode;
  TaskId job_ = 0;
};

TEST_F(AskedMigration, SuspendedSendsNothingWhileTheGuestWorksAndIsTracked) {
  start();
  ASSERT_EQ(request(RequestedState::kSuspend), 0u);
  wait_for_state(JobState::kSuspended);
  Host& host = world().process(source_)->host();
  const Sender* sender = host.sender("web", job_, last_job("web").attempt());
  ASSERT_NE(sender, nullptr);
  const std::uint64_t sent = sender->bytes_sent();
  const std::uint64_t before = counter("web", source_);
  pass(20 * kSecond);
  EXPECT_EQ(sender->bytes_sent(), sent);
  EXPECT_GT(counter("web", source_), before);
  ASSERT_EQ(request(RequestedState::kStart), 0u);
  wait_for_task(job_);
  EXPECT_EQ(owner("web"), target_);
  pass(kSecond);
  EXPECT_EQ(last_job("web").statistics().digest(), pb::MigrationStatistics::DIGEST_MATCH);
}

TEST_F(AskedMigration, SuspendedForLongIsNotTakenForOneThatDoesNotConverge) {
  start();
  const std::uint64_t since = last_event();
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(request(RequestedState::kSuspend), 0u);
    wait_for_state(JobState::kSuspended);
    pass(5 * kSecond);
    ASSERT_EQ(request(RequestedState::kStart), 0u);
    wait_for_state(JobState::kRunning);
  }
  wait_for_task(job_);
  EXPECT_EQ(owner("web"), target_);
  EXPECT_EQ(told_since(since), 0);
}

TEST_F(AskedMigration, SuspendedHasItsTotalTime) {
  begin();
  source_ = leader();
  target_ = node_beside({source_});
  run_vm("web", source_);
  pb::MigrationParameters parameters = slow();
  parameters.set_timeout_ns(10 * kSecond);
  job_ = migrate("web", target_, parameters).task();
  wait("data transfer", [this] { return migration_state("web") == MigrationState::kDataTransfer; });
  ASSERT_EQ(request(RequestedState::kSuspend), 0u);
  wait_for_task(job_);
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  EXPECT_EQ(state().task(job_)->result(), static_cast<std::uint32_t>(VMTaskResult::kTimeOutError));
  expect_alive("web", source_);
}

TEST_F(AskedMigration, SuspendedOutlivesItsLeader) {
  begin();
  const NodeId former = leader();
  source_ = node_beside({former});
  target_ = node_beside({former, source_});
  run_vm("web", source_);
  job_ = migrate("web", target_, slow()).task();
  wait("data transfer", [this] { return migration_state("web") == MigrationState::kDataTransfer; });
  ASSERT_EQ(request(RequestedState::kSuspend), 0u);
  wait_for_state(JobState::kSuspended);
  world().kill(former);
  wait("another leader", [&] { return leader() != kNoNode && leader() != former; });
  pass(10 * kSecond);
  EXPECT_EQ(*job_state_of(last_job("web").job_state()), JobState::kSuspended);
  ASSERT_EQ(request(RequestedState::kStart), 0u);
  wait_for_task(job_);
  EXPECT_EQ(owner("web"), target_);
}

// ---- Limits of a node ---------------------------------------------------------------------------

TEST_F(Migration, MigrationsOfANodeShareItsBandwidth) {
  WorldConfig config;
  config.properties.emplace_back("MaximumParallelMigrations", 2);
  begin(config);
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  pb::VmConfig quiet = small_vm();
  quiet.set_memory_bytes(8 * kMebibyte);
  quiet.set_dirty_bytes_per_second(0);
  run_vm("a", source, quiet);
  run_vm("b", source, quiet);
  ASSERT_EQ(set_dword("node", node_name(source), "MigrationBandwidthLimit", 8 * kMebibyte).code(),
            0u);
  const TaskId first = migrate("a", target).task();
  const TaskId second = migrate("b", target).task();
  wait_for_task(first);
  wait_for_task(second);
  const auto total = [this](TaskId id) { return state().task(id)->job().statistics().total_ns(); };
  // 16 MiB at 8 MiB/s, half of it for each.
  for (const TaskId id : {first, second}) {
    EXPECT_GT(total(id), 1800 * kMillisecond);
    EXPECT_LT(total(id), 2600 * kMillisecond);
  }
  EXPECT_LT(std::max(total(first), total(second)) - std::min(total(first), total(second)),
            200 * kMillisecond);
}

TEST_F(Migration, OneThatIsLeftHasTheWholeBandwidth) {
  WorldConfig config;
  config.properties.emplace_back("MaximumParallelMigrations", 2);
  begin(config);
  const NodeId source = leader();
  const NodeId target = node_beside({source});
  pb::VmConfig quiet = small_vm();
  quiet.set_memory_bytes(8 * kMebibyte);
  quiet.set_dirty_bytes_per_second(0);
  run_vm("a", source, quiet);
  run_vm("b", source, quiet);
  set_dword("node", node_name(source), "MigrationBandwidthLimit", 8 * kMebibyte);
  const TaskId first = migrate("a", target).task();
  migrate("b", target);
  pass(600 * kMillisecond);
  ASSERT_EQ(cancel("b").code(), 0u);
  wait_for_task(first);
  EXPECT_LT(state().task(first)->job().statistics().total_ns(), 1600 * kMillisecond);
}

}  // namespace
}  // namespace failsim::sim
