// The state diagram of a VM: every method with exactly its events, in order.
#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

using States = std::vector<std::string>;

class Lifecycle : public RunningCluster {
 protected:
  // Runs the verb and returns the states it announced.
  States states_of(const std::string& words) {
    const std::uint64_t before = last_event();
    const json::object task = object(words);
    EXPECT_TRUE(flag_in(task, "is_complete")) << words;
    EXPECT_EQ(enum_name_in(task, "result"), "Success") << words;
    return states_after(before, "web");
  }
  std::string state() { return enum_name_in(vm("web"), "state"); }
};

TEST_F(Lifecycle, EveryMethodAnnouncesItsStatesInOrder) {
  EXPECT_EQ(enum_name_in(object("vm create web --memory 16MiB"), "result"), "Success");
  EXPECT_EQ(state(), "TurnedOff");
  EXPECT_EQ(states_of("vm start web"), (States{"TurningOn", "Running"}));
  EXPECT_EQ(state(), "Running");
  EXPECT_EQ(states_of("vm pause web"), (States{"Paused"}));
  EXPECT_EQ(state(), "Paused");
  EXPECT_EQ(states_of("vm resume web"), (States{"Running"}));
  EXPECT_EQ(states_of("vm reset web"),
            (States{"TurningOff", "DeleteMachine", "TurningOn", "Running"}));
  EXPECT_EQ(states_of("vm save web"),
            (States{"Saving", "TurningOff", "DeleteMachine", "TurnedOff"}));
  EXPECT_EQ(state(), "Saved");
  EXPECT_EQ(states_of("vm start web"), (States{"TurningOn", "Restoring", "Running"}));
  EXPECT_EQ(states_of("vm turn-off web"), (States{"TurningOff", "DeleteMachine", "TurnedOff"}));
  EXPECT_EQ(state(), "TurnedOff");
  EXPECT_EQ(states_of("vm delete web"), States{});
  expect_refused("vm show web", 105, Code::kGroupNotFound);
}

TEST_F(Lifecycle, CreateWithStartReturnsWhenRunning) {
  const std::uint64_t before = last_event();
  object("vm create web --memory 16MiB --owner node-2 --start");
  const json::object web = vm("web");
  EXPECT_EQ(enum_value_in(web, "state"), 5u);
  EXPECT_EQ(text_in(web, "owner_node"), "node-2");
  EXPECT_EQ(enum_value_in(web, "migration_state"), 0u);
  EXPECT_TRUE(web.contains("migration_progress"));
  EXPECT_TRUE(web.contains("migration_failure_reason"));
  EXPECT_TRUE(object_in(web, "guest").contains("counter"));
  EXPECT_TRUE(object_in(web, "guest").contains("boot_id"));
  EXPECT_EQ(states_after(before, "web"), (States{"TurningOn", "Running"}));
}

TEST_F(Lifecycle, TheGuestCountsOnAfterARestore) {
  object("vm create web --memory 16MiB --start");
  wait_for_counter_above("web", 3);
  object("vm pause web");
  const std::uint64_t paused_at = counter("web");
  const std::uint64_t boot = boot_id("web");
  object("vm resume web");
  object("vm save web");
  EXPECT_TRUE(is_null_in(vm("web"), "guest"));
  object("vm start web");
  EXPECT_GE(counter("web"), paused_at);
  EXPECT_EQ(boot_id("web"), boot) << "the memory is the same";
  wait_for_counter_above("web", counter("web"));
}

TEST_F(Lifecycle, AMethodInAStateThatDoesNotAllowItChangesNothing) {
  object("vm create web --memory 16MiB");
  const std::uint64_t before = last_event();
  for (const char* method : {"pause", "resume", "reset", "save", "turn-off"}) {
    const Outcome outcome = run(std::string("vm ") + method + " web");
    EXPECT_EQ(outcome.exit, 1) << method << ": " << outcome.err;
    EXPECT_NE(outcome.err.find("\"name\":\"VM_E_"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(state(), "TurnedOff");
  object("vm start web");
  EXPECT_EQ(run("vm start web").exit, 1);
  EXPECT_EQ(run("vm delete web").exit, 1) << "a running VM is not deleted";
  EXPECT_EQ(state(), "Running");
  EXPECT_EQ(states_after(before, "web"), (States{"TurningOn", "Running"}));
}

TEST_F(Lifecycle, NoWaitGivesATaskThatCanBeWaitedFor) {
  const json::object begun = object("vm create web --memory 16MiB --start --no-wait");
  const std::string id = std::to_string(number_in(begun, "task"));
  const json::object task = object("task wait " + id);
  EXPECT_TRUE(flag_in(task, "is_complete"));
  EXPECT_EQ(enum_value_in(task, "result"), 0u);
  EXPECT_EQ(number_in(task, "progress"), 100u);
  EXPECT_EQ(text_in(task, "kind"), "create");
  EXPECT_EQ(text_in(task, "object"), "vm/web");
  EXPECT_EQ(object("task show " + id), task);
  EXPECT_EQ(array("task list").size(), 1u);
  expect_refused("task show 4711", 105, Code::kNotFound);
}

TEST_F(Lifecycle, EventsAreNumberedWithoutAGap) {
  object("vm create web --memory 16MiB --start");
  object("vm turn-off web");
  std::uint64_t number = 0;
  for (const json::object& event : events()) {
    EXPECT_EQ(number_in(event, "number"), ++number);
    EXPECT_EQ(text_in(event, "time").back(), 'Z');
    for (const char* field : {"node", "kind", "object"}) EXPECT_TRUE(event.contains(field));
  }
  EXPECT_GT(number, 5u);
  const std::vector<json::object> tail = events(number - 1);
  ASSERT_EQ(tail.size(), 1u);
  EXPECT_EQ(number_in(tail.front(), "number"), number);
}

TEST_F(Lifecycle, FollowPrintsAnEventWhenItHappens) {
  const std::unique_ptr<Program> follower = begin("events --follow");
  object("vm create web --memory 16MiB");
  std::string line = follower->next_line();
  while (!line.empty() && line.find("\"vm/web\"") == std::string::npos) {
    line = follower->next_line();
  }
  EXPECT_TRUE(cli::parse_object(line).has_value()) << line;
}

}  // namespace
}  // namespace failsim::test
