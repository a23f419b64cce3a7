// Live migrations that nothing disturbs, and those that only the guest makes hard.

#include <algorithm>

#include "cluster/vm/task_result.h"
#include "tests/sim/story.h"

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

}  // namespace
}  // namespace failsim::sim
