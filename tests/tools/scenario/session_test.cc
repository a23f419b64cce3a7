// A session becomes a scenario that goes the same way.
#include "tools/scenario/session.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "cluster/property/clusprop.h"
#include "tests/sim/story.h"
#include "tools/scenario/lint.h"
#include "tools/scenario/virtual_run.h"
#include "tools/scenario/yaml.h"
#include "tools/sim/injector.h"

namespace failsim::scenario {
namespace {

// People at a cluster in virtual time; its log is what a session is recorded from.
class SessionStory : public sim::Story {
 protected:
  void SetUp() override {
    begin();
    injector_ = std::make_unique<sim::Injector>(world(), 5);
  }

  // What the launcher does for `failsim fault inject`: it breaks something, and tells.
  void inject(const std::string& line) {
    const auto id = injector_->inject(fault::parse_order(line).take());
    ASSERT_TRUE(id.ok()) << id.error().message;
    note(id.value(), line, pb::Request::NoteFault::INJECTED);
  }
  void note(std::uint64_t fault, const std::string& line, pb::Request::NoteFault::What what) {
    pb::Request request;
    pb::Request::NoteFault& told = *request.mutable_note_fault();
    told.set_fault(fault);
    told.set_order(line);
    told.set_what(what);
    EXPECT_EQ(ask(request).code(), 0u);
  }

  RecordedSession record(std::int64_t since = 0) {
    Session session;
    session.bootstrap = world().bootstrap();
    const Member& member = world().member(leader());
    for (Index index = 1; index <= member.log().commit_index(); ++index) {
      session.entries.push_back(member.log().entry(index));
    }
    auto recorded = record_session(session, since);
    EXPECT_TRUE(recorded.ok()) << (recorded.ok() ? "" : recorded.error().message);
    return recorded.ok() ? recorded.take() : RecordedSession();
  }
  static std::string step(const RecordedSession& session, std::size_t number) {
    const Effect& effect = session.scenario.steps.at(number).effect;
    if (const auto* done = std::get_if<Do>(&effect)) return to_text(done->action);
    if (const auto* injected = std::get_if<Inject>(&effect)) return fault::to_text(injected->order);
    if (const auto* expected = std::get_if<Expect>(&effect)) return to_text(expected->condition);
    return "";
  }
  // As a file it is fine, and it passes.
  static void expect_passes(const RecordedSession& session) {
    const std::string yaml = to_yaml(session.scenario);
    SCOPED_TRACE(yaml);
    Reading reading = read_yaml(yaml);
    for (const Problem& problem : reading.problems) ADD_FAILURE() << to_line("s", problem);
    ASSERT_TRUE(reading.scenario.has_value());
    for (const Problem& problem : lint(*reading.scenario)) ADD_FAILURE() << to_line("s", problem);
    const Outcome outcome = run_virtual(*reading.scenario);
    for (const auto& violation : outcome.violations) {
      ADD_FAILURE() << violation.label << ": " << violation.text;
    }
  }

  std::unique_ptr<sim::Injector> injector_;
};

TEST_F(SessionStory, OfAMigrationAndADeadNodeGoesTheSameWay) {
  run_vm("web", 1);
  const pb::Reply migration = migrate("web", 2);
  wait_for_task(migration.task());
  world().kill(2, sim::World::Evidence::kReported);
  wait("it is restarted", [this] { return leader() != kNoNode && executes("web", owner("web")); });
  world().start(2);
  wait("the node is back", [this] { return state().node(2)->state() == pb::NODE_UP; });
  set_dword("cluster", "", "SameSubnetThreshold", 5);

  const RecordedSession session = record();
  EXPECT_EQ(session.remarks, std::vector<std::string>());
  EXPECT_EQ(session.scenario.topology.nodes, 3u);
  EXPECT_TRUE(session.scenario.vms.empty()) << "it was created in the session";
  EXPECT_TRUE(step(session, 0).starts_with("vm create web")) << step(session, 0);
  EXPECT_EQ(step(session, 1), "migrate web --to node-2");
  EXPECT_EQ(step(session, 2), "node kill node-2");
  EXPECT_EQ(step(session, 3), "node start node-2");
  EXPECT_EQ(step(session, 4), "property set cluster SameSubnetThreshold 5");
  EXPECT_EQ(step(session, 5), "task(1).result == Success");
  EXPECT_EQ(step(session, 6), "task(2).result == Success");
  expect_passes(session);
}

TEST_F(SessionStory, KeepsTheMomentOfAFaultInAMigration) {
  run_vm("web", 1);
  const pb::Reply migration = migrate("web", 2, slow());
  wait("pages are sent",
       [this] { return migration_state("web") == MigrationState::kDataTransfer; });
  inject("kill node-2 for=5s");
  wait_for_task(migration.task());

  const RecordedSession session = record();
  ASSERT_EQ(step(session, 2), "kill node-2 for=5s");
  const Step& kill = session.scenario.steps[2];
  ASSERT_TRUE(kill.when.has_value());
  EXPECT_NE(to_text(*kill.when).find("migration(web).state == DataTransfer"), std::string::npos);
  EXPECT_FALSE(kill.at.has_value()) << "the phase says when";
  const auto steps = session.scenario.steps.size();
  EXPECT_NE(step(session, steps - 2).find("task(2).result == "), std::string::npos);
  EXPECT_NE(step(session, steps - 2), "task(2).result == Success");
  expect_passes(session);
}

TEST_F(SessionStory, KeepsWhatWasRefused) {
  run_vm("web", 1);
  EXPECT_NE(migrate("web", 1).code(), 0u);
  const RecordedSession session = record();
  EXPECT_EQ(step(session, 1), "migrate web --to node-1");
  const Do& done = std::get<Do>(session.scenario.steps[1].effect);
  EXPECT_EQ(done.answer, Do::Answer::kRefused);
  EXPECT_EQ(done.code, "ERROR_INVALID_PARAMETER");
  expect_passes(session);
}

TEST_F(SessionStory, BeginsWithWhatWasThereBefore) {
  run_vm("web", 1);
  set_dword("cluster", "", "SameSubnetThreshold", 5);
  pass(kSecond);
  std::int64_t before = 0;
  for (const auto& [number, event] : state().events()) {
    before = std::max(before, event->wall_time_ns());
  }
  migrate("web", 2);
  wait("it runs there", [this] { return executes("web", 2); });
  pass(kSecond);

  const RecordedSession session = record(before + 1);
  ASSERT_EQ(session.scenario.vms.size(), 1u);
  EXPECT_EQ(session.scenario.vms[0].owner, "node-1");
  EXPECT_EQ(step(session, 0), "migrate web --to node-2");
  EXPECT_EQ(step(session, 1), "task(2).result == Success") << "creating it was the first";
  expect_passes(session);
}

TEST_F(SessionStory, WithoutAnythingDoneIsNone) {
  Session session;
  session.bootstrap = world().bootstrap();
  EXPECT_EQ(record_session(session).error().code, Code::kNotFound);
  pb::LogEntry later;
  later.set_index(7);
  session.entries.push_back(std::make_shared<const pb::LogEntry>(later));
  EXPECT_EQ(record_session(session).error().code, Code::kInvalidData);
}

}  // namespace
}  // namespace failsim::scenario
