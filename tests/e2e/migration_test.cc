// Live migration between processes: done, canceled, refused.
#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

using States = std::vector<std::string>;

class Migration : public RunningCluster {
 protected:
  void create(const std::string& name, const std::string& owner, const std::string& more = "") {
    object("vm create " + name + " --memory 32MiB --working-set 8MiB --owner " + owner +
           " --start " + more);
  }
  // Begins a migration that lasts long enough to interfere with, and waits for Data Transfer.
  std::unique_ptr<Program> begin_slow(const std::string& name, const std::string& target) {
    const std::uint64_t before = last_event();
    std::unique_ptr<Program> program =
        begin("migrate " + name + " --to " + target + " --bandwidth 1MiB/s");
    wait_for_migration_state(before, name, 2);
    return program;
  }
};

TEST_F(Migration, MovesARunningGuestWithEveryByte) {
  create("web", "node-1");
  const std::uint64_t boot = boot_id("web");
  const std::uint64_t counted = counter("web");
  const std::uint64_t before = last_event();
  const json::object moved = object("migrate web --to node-2 --verify before-resume");
  EXPECT_EQ(text_in(moved, "vm"), "web");
  EXPECT_EQ(text_in(moved, "from"), "node-1");
  EXPECT_EQ(text_in(moved, "to"), "node-2");
  EXPECT_EQ(enum_value_in(moved, "result"), 0u);
  EXPECT_EQ(enum_value_in(moved, "migration_state"), 0u);
  EXPECT_TRUE(flag_in(moved, "digest_match"));
  EXPECT_GE(number_in(moved, "bytes_sent"), std::uint64_t{32} << 20);
  for (const char* field : {"job_id", "rounds", "total_ms", "downtime_ms"}) {
    EXPECT_TRUE(moved.contains(field)) << field;
  }
  EXPECT_EQ(owner("web"), "node-2");
  EXPECT_EQ(boot_id("web"), boot);
  wait_for_counter_above("web", counted);
  EXPECT_EQ(migration_states_after(before, "web"),
            (States{"Setup", "Data Transfer", "Move", "No Migration"}));
  EXPECT_EQ(states_after(before, "web"), States{}) << "the VM was Running all the time";
  EXPECT_EQ(number_in(object("task show " + std::to_string(number_in(moved, "job_id"))), "id"),
            number_in(moved, "job_id"));
}

TEST_F(Migration, GoesBackAndForthWithTheSameBoot) {
  create("web", "node-1");
  const std::uint64_t boot = boot_id("web");
  for (const char* target : {"node-2", "node-3", "node-1"}) {
    EXPECT_TRUE(flag_in(object(std::string("migrate web --to ") + target), "digest_match"));
    EXPECT_EQ(owner("web"), target);
    EXPECT_EQ(boot_id("web"), boot);
  }
  EXPECT_EQ(array("migrate list").size(), 3u);
  EXPECT_EQ(text_in(object("migrate show web"), "to"), "node-1");
}

TEST_F(Migration, AModelledVmMovesToo) {
  create("big", "node-1", "--modelled");
  EXPECT_EQ(enum_value_in(object("migrate big --to node-2"), "result"), 0u);
  EXPECT_EQ(owner("big"), "node-2");
}

TEST_F(Migration, ACancelInDataTransferKeepsTheVmAtItsSource) {
  create("web", "node-1");
  const std::uint64_t boot = boot_id("web");
  const std::uint64_t before = last_event();
  const std::unique_ptr<Program> migration = begin_slow("web", "node-2");
  const json::object canceled = object("migrate cancel web");
  EXPECT_EQ(enum_value_in(canceled, "migration_state"), 4u);
  const json::object web = vm("web");
  EXPECT_EQ(enum_value_in(web, "migration_state"), 4u);
  EXPECT_EQ(text_in(web, "owner_node"), "node-1");
  EXPECT_EQ(enum_name_in(web, "state"), "Running");
  EXPECT_EQ(boot_id("web"), boot);
  const Outcome outcome = migration->wait();
  EXPECT_EQ(outcome.exit, 20) << outcome.err;
  const json::object shown = cli::parse_object(outcome.out).value_or(json::object{});
  EXPECT_EQ(enum_value_in(shown, "result"), 1u);
  EXPECT_EQ(migration_states_after(before, "web"), (States{"Setup", "Data Transfer", "Canceled"}));
  wait_for_counter_above("web", counter("web"));
  EXPECT_EQ(enum_value_in(object("migrate web --to node-2"), "result"), 0u)
      << "the target kept nothing of the canceled attempt";
}

TEST_F(Migration, AJobIsSuspendedAndGoesOn) {
  create("web", "node-1");
  const std::unique_ptr<Program> migration = begin_slow("web", "node-2");
  const std::string job = std::to_string(number_in(object("migrate show web"), "job_id"));
  const json::object suspended =
      object("job request-state-change " + job + " Suspend --timeout 10s");
  EXPECT_EQ(enum_value_in(suspended, "return_value"), 0u);
  EXPECT_EQ(enum_name_in(suspended, "job_state"), "Suspended");
  const std::uint64_t sent = number_in(object("migrate show web"), "bytes_sent");
  wait_for_counter_above("web", counter("web"));
  EXPECT_EQ(number_in(object("migrate show web"), "bytes_sent"), sent) << "nothing is sent";
  const json::object shown = object("job show " + job);
  EXPECT_EQ(enum_value_in(shown, "migration_type"), 32768u);
  EXPECT_EQ(enum_value_in(shown, "job_type"), 305u);
  EXPECT_TRUE(flag_in(shown, "cancellable"));
  EXPECT_EQ(text_in(shown, "time_before_removal"), "00000000000500.000000:000");
  EXPECT_EQ(text_in(cli::array_in(shown, "requests").at(0).as_object(), "outcome"), "Done.");
  const json::object started = object("job request-state-change " + job + " Start --timeout 10s");
  EXPECT_EQ(enum_name_in(started, "job_state"), "Running");
  EXPECT_EQ(enum_value_in(object("job request-state-change " + job + " Kill"), "return_value"), 0u);
  EXPECT_EQ(migration->wait().exit, 20);
  EXPECT_EQ(enum_name_in(object("job show " + job), "job_state"), "Killed");
  EXPECT_EQ(text_in(object_in(object("job get-error " + job), "error"), "message_id"),
            "ERROR_OPERATION_ABORTED");
}

TEST_F(Migration, ControlCodesBeginAndEndAMigration) {
  create("web", "node-1");
  EXPECT_EQ(
      enum_value_in(
          cli::parse_object(run("vm control web CANCEL_MIGRATION").out).value_or(json::object{}),
          "return_value"),
      5023u);
  const json::object started = object("vm control web START_MIGRATION --to node-2");
  EXPECT_EQ(enum_value_in(started, "return_value"), 0u);
  object("task wait " + std::to_string(number_in(started, "task")));
  EXPECT_EQ(enum_value_in(
                cli::parse_object(run("vm control web 0x01600008").out).value_or(json::object{}),
                "return_value"),
            5023u);
}

TEST_F(Migration, EverythingThatStandsAgainstItIsSaid) {
  create("web", "node-1");
  EXPECT_TRUE(flag_in(object("migrate web --to node-2 --check"), "is_migratable"));
  object("property set vm/web VirtualSwitch lan");
  object("property set vm/web ProcessorProfile 4");
  object("property set node/node-2 ProcessorProfile 2");
  const Outcome checked = run("migrate web --to node-2 --check");
  EXPECT_EQ(checked.exit, 1);
  const json::object told = cli::parse_object(checked.out).value_or(json::object{});
  EXPECT_EQ(enum_value_in(told, "return_value"), 6u);
  EXPECT_EQ(cli::array_in(told, "failed_checks").size(), 2u);
  EXPECT_NE(run("migrate web --to node-2").exit, 0);
}

TEST_F(Migration, RequestStateChangeTerminatesAJob) {
  create("web", "node-1");
  const std::unique_ptr<Program> migration = begin_slow("web", "node-2");
  const std::string job = std::to_string(number_in(object("migrate show web"), "job_id"));
  const Outcome service = run("job request-state-change " + job + " Service");
  EXPECT_EQ(service.exit, 1);
  const json::object refused = cli::parse_object(service.out).value_or(json::object{});
  EXPECT_EQ(enum_value_in(refused, "return_value"), 32775u);
  const json::object accepted = object("job request-state-change " + job + " 4 --timeout 5s");
  EXPECT_EQ(enum_value_in(accepted, "return_value"), 0u);
  EXPECT_EQ(enum_name_in(accepted, "job_state"), "Terminated");
  EXPECT_EQ(migration->wait().exit, 20);
  const Outcome late = run("job request-state-change " + job + " Terminate");
  EXPECT_EQ(late.exit, 1);
  EXPECT_EQ(enum_value_in(cli::parse_object(late.out).value_or(json::object{}), "return_value"),
            32775u);
  const Outcome reserved = run("job request-state-change " + job + " 7");
  EXPECT_EQ(enum_value_in(cli::parse_object(reserved.out).value_or(json::object{}), "return_value"),
            32773u);
  expect_refused("job request-state-change 4711 Kill", 105, Code::kNotFound);
}

TEST_F(Migration, ItsOwnTimeoutEndsInFailureAtTheSource) {
  create("web", "node-1");
  const Outcome outcome = run("migrate web --to node-2 --bandwidth 1MiB/s --timeout 1s");
  EXPECT_EQ(outcome.exit, 21) << outcome.err;
  const json::object failed = cli::parse_object(outcome.out).value_or(json::object{});
  EXPECT_EQ(enum_name_in(failed, "result"), "TimeOutError");
  EXPECT_EQ(enum_value_in(failed, "migration_state"), 5u);
  EXPECT_EQ(owner("web"), "node-1");
  EXPECT_EQ(enum_value_in(vm("web"), "migration_state"), 5u) << "kept until reset or a new start";
  object("property set web MigrationState 0");
  EXPECT_EQ(enum_value_in(vm("web"), "migration_state"), 0u);
}

TEST_F(Migration, TheRoundLimitForcesTheSwitch) {
  create("web", "node-1", "--dirty-rate 200MiB/s");
  const json::object moved =
      object("migrate web --to node-2 --bandwidth 20MiB/s --downtime-limit 1ms --max-rounds 2");
  EXPECT_TRUE(flag_in(moved, "forced_switch"));
  EXPECT_TRUE(flag_in(moved, "digest_match"));
  EXPECT_FALSE(text_in(moved, "downtime_cause").empty());
}

TEST_F(Migration, ThatMustConvergeAndWillNotIsForecastAndFails) {
  create("web", "node-1", "--dirty-rate 200MiB/s");
  const std::string command =
      "migrate web --to node-2 --bandwidth 20MiB/s --downtime-limit 10ms --on-no-convergence fail";
  const json::object forecast = object(command + " --dry-run");
  EXPECT_FALSE(flag_in(forecast, "succeeds"));
  EXPECT_EQ(number_in(forecast, "rounds"), 3u);
  const Outcome outcome = run(command);
  EXPECT_EQ(outcome.exit, 21) << outcome.err;
  const json::object failed = cli::parse_object(outcome.out).value_or(json::object{});
  EXPECT_EQ(enum_value_in(failed, "migration_state"), 5u);
  EXPECT_EQ(number_in(failed, "rounds"), 3u);
  EXPECT_FALSE(text_in(failed, "not_converging").empty());
  EXPECT_EQ(owner("web"), "node-1");
}

TEST_F(Migration, WhatCannotBeIsRefusedAndChangesNothing) {
  create("web", "node-1");
  expect_refused("migrate web --to node-2 --max-downtime 100ms", 64, Code::kInvalidParameter);
  EXPECT_EQ(run("migrate web --to node-2 --streams 9").exit, 64);
  const std::uint64_t before = last_event();
  expect_refused("migrate web --to node-1", 64, Code::kInvalidParameter);
  expect_refused("migrate web --to node-9", 105, Code::kNodeNotFound);
  expect_refused("migrate nope --to node-2", 105, Code::kGroupNotFound);
  expect_refused("migrate cancel web", 1, Code::kInvalidState);
  expect_refused("migrate cancel nope", 105, Code::kGroupNotFound);
  EXPECT_EQ(migration_states_after(before, "web"), States{});
  EXPECT_EQ(enum_value_in(vm("web"), "migration_state"), 0u);
}

TEST_F(Migration, ASecondMigrationOfTheSameVmIsRefused) {
  create("web", "node-1");
  const std::unique_ptr<Program> first = begin_slow("web", "node-2");
  const Outcome second = run("migrate web --to node-3");
  EXPECT_EQ(second.exit, 1) << second.err;
  EXPECT_NE(second.err.find("\"message\""), std::string::npos);
  EXPECT_EQ(text_in(object("migrate show web"), "to"), "node-2");
  object("migrate cancel web");
  EXPECT_EQ(first->wait().exit, 20);
}

TEST_F(Migration, ADownTargetIsRefused) {
  create("web", "node-1");
  ASSERT_EQ(run("node kill node-3").exit, 0);
  wait_for_node("node-3", "Down");
  const Outcome outcome = run("migrate web --to node-3");
  EXPECT_NE(outcome.exit, 0);
  EXPECT_EQ(enum_value_in(vm("web"), "migration_state"), 0u);
}

TEST_F(Migration, OffATerminalEachPhaseIsALine) {
  create("web", "node-1");
  const Outcome outcome = run_text("migrate web --to node-2");
  EXPECT_EQ(outcome.exit, 0);
  EXPECT_EQ(outcome.err, "web: Setup\nweb: Data Transfer\nweb: Move\nweb: Done\n");
  EXPECT_NE(outcome.out.find("web moved from node-1 to node-2"), std::string::npos);
}

class SmallNodes : public ClusterTest {};

TEST_F(SmallNodes, ATargetWithoutMemoryIsRefusedAndChangesNothing) {
  up("--node-memory 64MiB");
  object("vm create web --memory 48MiB --owner node-1 --start");
  object("vm create db --memory 48MiB --owner node-2 --start");
  expect_refused("migrate web --to node-2", 1, Code::kNoSystemResources);
  EXPECT_EQ(owner("web"), "node-1");
  EXPECT_EQ(enum_value_in(vm("web"), "migration_state"), 0u);
  EXPECT_EQ(enum_value_in(object("migrate web --to node-3"), "result"), 0u);
}

}  // namespace
}  // namespace failsim::test
