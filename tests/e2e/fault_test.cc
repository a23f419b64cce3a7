// Faults injected into a cluster of processes: what they do, how they end, and what is refused.
#include <algorithm>
#include <csignal>

#include "cluster/fault/kind.h"
#include "cluster/fault/value.h"
#include "tests/e2e/running_cluster.h"
#include "tools/failsim/nodes.h"

namespace failsim::test {
namespace {

class Faults : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    up("--faults");
  }

  void create(const std::string& name, const std::string& owner) {
    object("vm create " + name + " --memory 32MiB --working-set 8MiB --owner " + owner +
           " --start");
  }
  std::unique_ptr<Program> begin_slow(const std::string& name, const std::string& target) {
    const std::uint64_t before = last_event();
    std::unique_ptr<Program> program =
        begin("migrate " + name + " --to " + target + " --bandwidth 4MiB/s");
    wait_for_migration_state(before, name, 2);
    return program;
  }
  // The number of the fault.
  std::string inject(const std::string& words) {
    const json::object fault = object("fault inject " + words);
    EXPECT_FALSE(cli::array_in(fault, "hits").empty());
    return std::to_string(number_in(fault, "id"));
  }
  void heal(const std::string& id) { EXPECT_FALSE(array("fault heal " + id).empty()); }
  void wait_for_fault_event(std::uint64_t since, const std::string& kind, const std::string& id) {
    wait_for_event(since, [&](const json::object& event) {
      return text_in(event, "kind") == kind && std::to_string(number_in(event, "fault")) == id;
    });
  }
  bool runs(const std::string& node) { return cli::process_of_node(cluster(), node).has_value(); }
  std::string follower() {
    const std::string led_by = leader();
    return led_by == "node-3" ? "node-2" : "node-3";
  }
};

TEST_F(Faults, AreListedHealedAndRecorded) {
  const std::uint64_t before = last_event();
  const std::string delay = inject("link-delay node-1<->node-2 min=1ms max=5ms");
  const std::string late = inject("timer-late node-3 by=1ms");
  const json::array rows = array("fault list");
  ASSERT_EQ(rows.size(), 3u) << "two senders and a node";
  EXPECT_EQ(text_in(rows.at(0).as_object(), "order"), "link-delay node-1->node-2 min=1ms max=5ms");
  EXPECT_GT(number_in(rows.at(0).as_object(), "remaining_ms"), 50'000u) << "leased for a minute";
  heal(delay);
  EXPECT_EQ(array("fault list").size(), 1u);
  EXPECT_EQ(array("fault heal --all").size(), 1u);
  EXPECT_TRUE(array("fault list").empty());
  wait_for_fault_event(before, "fault-injected", delay);
  wait_for_fault_event(before, "fault-healed", delay);
  wait_for_fault_event(before, "fault-healed", late);
}

TEST_F(Faults, EndByThemselvesWithTheirLease) {
  const std::string node = follower();
  const std::uint64_t before = last_event();
  const std::string id = inject("isolate " + node + " --for 2s");
  wait_for_node(node, "Down");
  wait_for_fault_event(before, "fault-expired", id);
  wait_for_node(node, "Up");
  EXPECT_TRUE(array("fault list").empty());
}

TEST_F(Faults, EndSoonAfterTheInjectorThatHoldsThemDies) {
  const std::uint64_t before = last_event();
  const std::unique_ptr<Program> injector =
      begin("fault inject link-delay node-1->node-2 min=1ms --hold --for 10m");
  const json::object fault = cli::parse_object(injector->next_line()).value_or(json::object{});
  const std::string id = std::to_string(number_in(fault, "id"));
  wait_for_fault_event(before, "fault-injected", id);
  ::kill(injector->pid(), SIGKILL);
  wait_for_fault_event(before, "fault-expired", id);
  EXPECT_TRUE(array("fault list").empty());
}

TEST_F(Faults, ACutLinkInDataTransferLeavesTheVmAtItsSource) {
  create("web", "node-1");
  const std::uint64_t boot = boot_id("web");
  const std::unique_ptr<Program> migration = begin_slow("web", "node-3");
  inject("link-cut source(web)->target(web) class=data");
  const Outcome outcome = migration->wait();
  EXPECT_EQ(outcome.exit, 21) << outcome.err;
  EXPECT_EQ(owner("web"), "node-1");
  EXPECT_EQ(boot_id("web"), boot);
  EXPECT_EQ(enum_value_in(vm("web"), "migration_state"), 5u);
  wait_for_counter_above("web", counter("web"));
}

TEST_F(Faults, AnIsolatedLeaderIsReplacedAndItsVmRestartedElsewhere) {
  const std::string former = leader();
  create("web", former);
  wait_for_counter_above("web", 2);
  const std::uint64_t counted = counter("web");
  inject("isolate leader");
  EXPECT_NE(wait_for_restart_elsewhere("web", former), former);
  wait_for_counter_above("web", counted);
  wait_for_node(former, "Down");
  EXPECT_TRUE(runs(former)) << "it is alive, and nobody hears it";
  EXPECT_FALSE(array("fault heal --all").empty());
  wait_for_node(former, "Up");
  EXPECT_NE(owner("web"), former);
}

TEST_F(Faults, AFullDiskEndsTheProcessAndHealingBringsItBack) {
  const std::string node = follower();
  const std::string id = inject("disk-fail " + node + " error=ENOSPC --for 10m");
  object("vm create before --memory 16MiB");  // something to write
  wait_for_node(node, "Down");
  EXPECT_TRUE(until([&] { return !runs(node); }));
  EXPECT_EQ(text_in(object("vm create after --memory 16MiB"), "object"), "vm/after");
  heal(id);
  wait_for_node(node, "Up");
}

TEST_F(Faults, ASourceThatFreezesLosesItsVmToAnotherNode) {
  create("web", "node-1");
  wait_for_counter_above("web", 2);
  const std::uint64_t counted = counter("web");
  const std::uint64_t before = last_event();
  const std::unique_ptr<Program> migration = begin_slow("web", "node-3");
  const std::string id = inject("freeze source(web) --for 2s");
  EXPECT_EQ(migration->wait().exit, 22);
  EXPECT_NE(wait_for_restart_elsewhere("web", "node-1"), "node-1");
  wait_for_counter_above("web", counted);
  wait_for_fault_event(before, "fault-expired", id);
  wait_for_node("node-1", "Up");
}

TEST_F(Faults, AGuestWaitsForAStalledVolume) {
  create("web", "node-2");
  wait_for_counter_above("web", 2);
  const std::string id = inject("volume-stall --for 10m");
  const std::uint64_t counted = counter("web");
  EXPECT_FALSE(array("fault list").empty());
  EXPECT_LE(counter("web"), counted + 1) << "one answer may have been on its way";
  heal(id);
  wait_for_counter_above("web", counted + 1);
}

TEST_F(Faults, AVolumeThatIsKilledComesBackAndNothingIsLost) {
  create("web", "node-2");
  wait_for_counter_above("web", 2);
  inject("volume-restart");
  wait_for_counter_above("web", counter("web"));
}

TEST_F(Faults, AKilledNodeIsStartedAgainWhenItsLeaseEnds) {
  const std::uint64_t before = last_event();
  const json::object fault = object("fault inject kill all --survivable --for 2s");
  EXPECT_NE(text_in(fault, "weakened"), "") << "the quorum of three can lose one";
  ASSERT_EQ(cli::array_in(fault, "hits").size(), 1u);
  wait_for_node("node-1", "Down");
  wait_for_fault_event(before, "fault-expired", std::to_string(number_in(fault, "id")));
  wait_for_node("node-1", "Up");
}

TEST_F(Faults, SurvivableRefusesWhatTheQuorumCannotTake) {
  inject("isolate node-3");
  expect_refused("fault inject freeze node-1 --survivable", 1, Code::kInvalidState);
}

TEST_F(Faults, AGuestThatCrashesIsStartedAgain) {
  create("web", "node-1");
  const std::uint64_t boot = boot_id("web");
  const std::uint64_t before = last_event();
  inject("guest-crash web");
  wait_for_event(before, [](const json::object& event) {
    return text_in(event, "kind") == "owner" &&
           text_in(event, "reason").find("stop error") != std::string::npos;
  });
  wait_for_counter_above("web", 0);
  EXPECT_NE(boot_id("web"), boot);
}

TEST_F(Faults, ATargetThatRefusesLeavesTheVmAtItsSource) {
  create("web", "node-1");
  inject("guest-fail node-2 step=prepare");
  EXPECT_EQ(run("migrate web --to node-2").exit, 21);
  EXPECT_EQ(owner("web"), "node-1");
  EXPECT_EQ(run("migrate web --to node-2").exit, 0) << "once";
}

TEST_F(Faults, APageThatWasForgottenIsNoticed) {
  create("web", "node-1");
  const std::uint64_t before = last_event();
  inject("forget-page node-1");
  EXPECT_NE(run("migrate web --to node-2").exit, 0);
  wait_for_event(before, [](const json::object& event) {
    return text_in(event, "kind") == "digest" && !flag_in(event, "match");
  });
}

TEST_F(Faults, AFrameThatWasCorruptedOnTheWayEndsTheMigration) {
  create("web", "node-1");
  const std::unique_ptr<Program> migration = begin_slow("web", "node-2");
  inject("link-corrupt node-1->node-2 share=100% class=data");
  const Outcome outcome = migration->wait();
  EXPECT_EQ(outcome.exit, 21);
  EXPECT_NE(outcome.err.find("corrupted on the way"), std::string::npos) << outcome.err;
  EXPECT_EQ(owner("web"), "node-1");
  EXPECT_FALSE(array("fault heal --all").empty());
  EXPECT_EQ(run("migrate web --to node-2").exit, 0);
}

TEST_F(Faults, MemoryThatSomebodyElseTookIsMissed) {
  create("web", "node-1");
  inject("memory-pressure node-2 bytes=4GiB");
  EXPECT_EQ(run("migrate web --to node-2").exit, 21);
  EXPECT_FALSE(array("fault heal --all").empty());
  EXPECT_EQ(run("migrate web --to node-2").exit, 0);
}

// Every row of the table of kinds, with the least of each parameter.
TEST_F(Faults, EveryKindThatProcessesPerformIsInjectedAndHealed) {
  create("web", "node-1");
  for (const fault::Kind& kind : fault::kinds()) {
    if (!kind.in_processes.is_performed) continue;
    std::string words(kind.name);
    if (kind.place == fault::Place::kNode) words += " node-3";
    if (kind.name == "disk-swap") words += ",node-2";  // stores change places
    if (kind.place == fault::Place::kLink) words += " node-1<->node-2";
    if (kind.place == fault::Place::kGuest) words += " web";
    if (kind.place == fault::Place::kPoint) words += " owner.flip";
    for (const fault::Parameter& parameter : kind.parameters) {
      if (parameter.fallback) continue;
      if (parameter.name == "terms") {
        words += " terms=1*kill";
        continue;
      }
      words += " " + std::string(parameter.name) + "=" +
               fault::value_text(parameter, std::max<std::int64_t>(parameter.minimum, 0));
    }
    SCOPED_TRACE(words);
    // Who was ended by the fault before may still be on its way back.
    EXPECT_TRUE(until([&] { return run("fault inject " + words).exit == 0; }))
        << run("fault inject " + words).err;
    EXPECT_EQ(run("fault heal --all").exit, 0);
    EXPECT_TRUE(array("fault list").empty());
  }
  for (const char* node : {"node-2", "node-3"}) {
    wait_for_node(node, "Up");
    EXPECT_TRUE(until([&] { return runs(node); }));
  }
  wait_for_counter_above("web", counter("web"));
}

TEST_F(Faults, BadInputIsRefusedWithTheNearestWord) {
  create("web", "node-1");
  expect_refused("fault inject frezze node-1", 64, Code::kInvalidParameter);
  EXPECT_NE(run("fault inject frezze node-1").err.find("freeze"), std::string::npos);
  expect_refused("fault inject link-cut node-1->node-2 clas=data", 64, Code::kInvalidParameter);
  EXPECT_NE(run("fault inject link-cut node-1->node-2 clas=data").err.find("class"),
            std::string::npos);
  expect_refused("fault inject link-cut node-1", 64, Code::kInvalidParameter);
  expect_refused("fault inject isolate leeder", 64, Code::kInvalidParameter);
  expect_refused("fault inject isolate node-9", 105, Code::kNodeNotFound);
  expect_refused("fault inject freeze owner(nothing)", 105, Code::kResourceNotFound);
  expect_refused("fault inject guest-crash nothing", 105, Code::kResourceNotFound);
  expect_refused("fault inject freeze source(web)", 75, Code::kNotReady);
  expect_refused("fault inject clock-jump node-1 by=3s", 1, Code::kInvalidState);
  expect_refused("fault inject freeze node-1 --for 2d", 64, Code::kInvalidParameter);
  expect_refused("fault heal 99", 105, Code::kNotFound);
  expect_refused("fault heal", 64, Code::kInvalidParameter);
  ASSERT_EQ(run("node kill node-3").exit, 0);
  expect_refused("fault inject freeze node-3", 1, Code::kNodeDown);
  expect_refused("fault inject disk-slow node-3 min=5ms", 1, Code::kNodeDown);
  EXPECT_TRUE(array("fault list").empty());
}

TEST_F(Faults, ANodeThatStandsStillTakesNoOtherFaultButItsEnd) {
  const std::string node = follower();
  const std::string id = inject("freeze " + node);
  expect_refused("fault inject disk-slow " + node + " min=5ms", 1, Code::kNodeNotAvailable);
  EXPECT_EQ(array("fault list").size(), 1u);
  heal(id);
  wait_for_node(node, "Up");
}

class WithoutFaults : public RunningCluster {};

TEST_F(WithoutFaults, NothingCanBeInjectedAndThatIsSaid) {
  expect_refused("fault inject freeze node-1", 1, Code::kInvalidState);
  expect_refused("fault inject isolate node-1", 1, Code::kInvalidState);
  expect_refused("fault list", 1, Code::kInvalidState);
  const cli::HttpAnswer answer =
      client().ask(1, "GET", "/v1/faults", "", std::chrono::milliseconds(5'000));
  EXPECT_EQ(answer.status, 409u);
  EXPECT_NE(answer.body.find("up --faults"), std::string::npos) << answer.body;
}

}  // namespace
}  // namespace failsim::test
