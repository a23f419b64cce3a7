// What a cluster of processes shows, as conditions of a scenario see it.
#include "tools/failsim/process_sight.h"

#include <gtest/gtest.h>

namespace failsim::cli {
namespace {

json::object named(std::uint64_t value, const char* name) {
  return {{"value", value}, {"name", name}};
}

class ProcessSight : public testing::Test {
 protected:
  ProcessSight() {
    sight_.nodes["node-1"] = {true, "node-1", true};
    sight_.nodes["node-2"] = {true, "node-1", true};
    sight_.node_rows = {json::object{{"name", "node-2"}, {"state", named(1, "Down")}}};
    sight_.vms = {json::object{{"name", "web"},
                               {"state", named(5, "Running")},
                               {"owner_node", "node-2"},
                               {"migration_state", named(2, "Data Transfer")},
                               {"guest", json::object{{"executing", true}}}}};
    sight_.is_agreed_now = true;
  }
  bool sees(const std::string& condition) const {
    return holds(scenario::parse_condition(condition).value(),
                 [this](const std::string& subject, const std::string& object,
                        const std::string& field) { return sight_.look(subject, object, field); });
  }
  void set_guest(json::value guest) { sight_.vms[0].as_object()["guest"] = std::move(guest); }

  Sight sight_;
};

TEST_F(ProcessSight, ShowsWhatTheInterfaceAnswered) {
  EXPECT_TRUE(sees("vm(web).state == Running and vm(web).executes_on == node-2"));
  EXPECT_TRUE(sees("migration(web).state == DataTransfer"));
  EXPECT_TRUE(sees("node(node-2).state == Down and cluster.quorum"));
  EXPECT_TRUE(sees("not vm(mail).exists"));
  EXPECT_FALSE(sees("vm(mail).state != Running"));
  EXPECT_FALSE(sees("migration(web).result == Success"));
}

TEST_F(ProcessSight, ALeaderLeadsWithAQuorumOnly) {
  EXPECT_TRUE(sees("cluster.leader == node-1 and node(node-1).leads"));
  sight_.nodes["node-1"].has_quorum = false;
  EXPECT_TRUE(sees("cluster.leader == none"));
  sight_.nodes["node-2"].leader = "node-2";
  EXPECT_TRUE(sees("cluster.leader == node-2"));
}

TEST_F(ProcessSight, AGuestThatNobodyCanAskIsKnownByItsJournal) {
  set_guest(nullptr);
  EXPECT_FALSE(sees("vm(web).executing"));
  sight_.writes_journal["web"] = true;
  EXPECT_TRUE(sees("vm(web).executes_on == node-2"));
}

TEST_F(ProcessSight, AnAnswerOfThePastTellsNothingOfAGuest) {
  sight_.is_agreed_now = false;
  EXPECT_FALSE(sees("vm(web).executing"));
}

TEST_F(ProcessSight, NoGuestExecutesWithoutAProcess) {
  set_guest(nullptr);
  sight_.writes_journal["web"] = true;
  sight_.nodes["node-2"].is_running = false;
  EXPECT_TRUE(sees("not vm(web).executing and vm(web).executes_on == none"));
}

TEST_F(ProcessSight, ASavedGuestDoesNotExecuteThoughItsJournalGrewAMomentAgo) {
  set_guest(nullptr);
  sight_.writes_journal["web"] = true;
  sight_.vms[0].as_object()["state"] = named(2, "Saved");
  EXPECT_TRUE(sees("not vm(web).executing"));
}

TEST_F(ProcessSight, TheNewestMigrationIsTheLastOfItsVm) {
  sight_.migrations = {
      json::object{{"vm", "web"}, {"job_id", 4}, {"result", named(1, "Cancelled")}},
      json::object{{"vm", "web"}, {"job_id", 7}, {"result", nullptr}, {"digest_match", nullptr}},
      json::object{{"vm", "db"}, {"job_id", 8}}};
  EXPECT_EQ(number_in(*sight_.newest_migration("web"), "job_id"), 7u);
  EXPECT_TRUE(sees("migration(web).result == none and migration(web).digest == Unknown"));
}

TEST_F(ProcessSight, TheLastTaskIsThatOfTheLastAction) {
  sight_.tasks = {json::object{{"id", 3}, {"is_complete", true}, {"result", named(0, "Success")}}};
  EXPECT_FALSE(sees("task(last).complete"));
  sight_.last_task = 3;
  EXPECT_TRUE(sees("task(last).result == Success and task(3).complete"));
}

TEST(AnnouncedTest, TellsMomentsThatNobodySaw) {
  Announced announced;
  announced.tell({{"kind", "migration-state"}, {"object", "vm/web"}, {"to", named(1, "Setup")}});
  EXPECT_EQ(announced.look("migration", "web", "state"), "Setup");
  announced.tell(
      {{"kind", "migration-state"}, {"object", "vm/web"}, {"to", named(2, "Data Transfer")}});
  EXPECT_EQ(announced.look("migration", "web", "state"), "DataTransfer");
  EXPECT_FALSE(announced.tell({{"kind", "task"}, {"object", "vm/web"}, {"to", "x"}}));
  announced.clear();
  EXPECT_EQ(announced.look("migration", "web", "state"), std::nullopt);
}

TEST(AnnouncedTest, BeforeAFailoverTheGuestExecutesNowhereAndHasItsFormerOwner) {
  const json::object event = {{"kind", "owner"},
                              {"object", "vm/web"},
                              {"from", "node-1"},
                              {"to", "node-2"},
                              {"reason", "node is down"}};
  Announced announced;
  EXPECT_TRUE(announced.tell_before(event));
  EXPECT_EQ(announced.look("vm", "web", "owner"), "node-1");
  EXPECT_EQ(announced.look("vm", "web", "executing"), "false");
  EXPECT_TRUE(announced.tell(event));
  EXPECT_EQ(announced.look("vm", "web", "owner"), "node-2");
  EXPECT_EQ(announced.look("vm", "web", "executes_on"), "none");
  EXPECT_TRUE(
      announced.tell({{"kind", "vm-state"}, {"object", "vm/web"}, {"to", named(5, "Running")}}));
  EXPECT_EQ(announced.look("vm", "web", "executing"), std::nullopt);
}

TEST(AnnouncedTest, ALiveMigrationTellsNothingOfTheGuest) {
  const json::object event = {
      {"kind", "owner"}, {"object", "vm/web"}, {"to", "node-2"}, {"reason", "live migration"}};
  Announced announced;
  EXPECT_FALSE(announced.tell_before(event));
  EXPECT_TRUE(announced.tell(event));
  EXPECT_EQ(announced.look("vm", "web", "executing"), std::nullopt);
}

}  // namespace
}  // namespace failsim::cli
