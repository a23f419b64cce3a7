// What real nodes were told leads the same code to the same steps, whatever ended the nodes.
#include <algorithm>
#include <map>

#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

class Recorded : public ClusterTest {
 protected:
  std::vector<std::string> recordings() const {
    std::vector<std::string> names;
    for (std::uint32_t node = 1; node <= 3; ++node) {
      for (const auto& entry : cli::fs::directory_iterator(cluster().node(node))) {
        if (entry.path().extension() != ".fsrec") continue;
        names.push_back("node-" + std::to_string(node) + "/" + entry.path().filename().string());
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  // Every recording of the cluster, replayed: all the same.
  json::array replayed() {
    const json::object answer = object("replay " + directory_.string());
    EXPECT_EQ(text_in(answer, "verdict"), "same");
    for (const json::value& recording : cli::array_in(answer, "recordings")) {
      EXPECT_EQ(text_in(recording.as_object(), "verdict"), "same");
      EXPECT_TRUE(flag_in(recording.as_object(), "same_core"));
    }
    return cli::array_in(answer, "recordings");
  }
};

TEST_F(Recorded, ARunWithAMigrationAndAKilledLeaderIsReplayedBitForBit) {
  up("--record");
  object("vm create web --memory 32MiB --working-set 8MiB --owner node-1 --start");
  ASSERT_EQ(run("migrate web --to node-2 --wait").exit, 0);
  const std::string killed = leader();
  ASSERT_EQ(run("node kill " + killed).exit, 0);
  wait_for_node(killed, "Down");
  ASSERT_EQ(run("node start " + killed).exit, 0);
  wait_for_node(killed, "Up");
  object("property set web MigrationState 0");
  const std::uint64_t counted = counter("web");
  wait_for_counter_above("web", counted);
  ASSERT_EQ(run("down").exit, 0);

  const std::vector<std::string> names = recordings();
  ASSERT_EQ(names.size(), 4u) << "one for each start of a process";
  EXPECT_EQ(std::count(names.begin(), names.end(), killed + "/recording-2.fsrec"), 1);
  const json::array found = replayed();
  ASSERT_EQ(found.size(), names.size());
  for (const json::value& value : found) {
    const json::object& recording = value.as_object();
    EXPECT_GT(number_in(recording, "steps"), 20u);
    EXPECT_EQ(number_in(recording, "steps"), number_in(recording, "recorded_steps"));
    const json::object& end = object_in(recording, "end");
    ASSERT_EQ(cli::array_in(end, "vms").size(), 1u);
    EXPECT_EQ(text_in(cli::array_in(end, "vms").at(0).as_object(), "name"), "web");
  }
}

// The rules that were put to the test, and how often.
std::map<std::string, std::uint64_t> evaluated(const json::object& check) {
  std::map<std::string, std::uint64_t> times;
  for (const json::value& row : cli::array_in(check, "rules")) {
    times[text_in(row.as_object(), "rule")] = number_in(row.as_object(), "evaluated");
  }
  return times;
}

TEST_F(Recorded, AClusterIsHeldToTheInvariantsWhileItRunsAndAfterwards) {
  up("--record");
  object("vm create web --memory 32MiB --working-set 8MiB --owner node-1 --start");
  ASSERT_EQ(run("migrate web --to node-2 --wait").exit, 0);
  const Outcome live = run("check " + directory_.string());
  EXPECT_EQ(live.exit, 3) << live.err << "what goes on is not known";
  const json::object running = cli::parse_object(live.out).value_or(json::object{});
  EXPECT_TRUE(cli::array_in(running, "violations").empty()) << live.out;
  EXPECT_NE(text_in(running, "known_until").find("goes on"), std::string::npos) << live.out;

  ASSERT_EQ(run("node kill node-2").exit, 0);
  wait_for_restart_elsewhere("web", "node-2");
  const std::uint64_t counted = counter("web");
  wait_for_counter_above("web", counted);
  ASSERT_EQ(run("node start node-2").exit, 0);
  wait_for_node("node-2", "Up");
  ASSERT_EQ(run("down").exit, 0);

  const std::string runs = (base_ / "runs").string();
  const Outcome checked = run("check " + directory_.string() + " --report=" + runs);
  EXPECT_EQ(checked.exit, 3) << checked.err << "some rules are about what did not happen";
  const json::object found = cli::parse_object(checked.out).value_or(json::object{});
  EXPECT_TRUE(cli::array_in(found, "violations").empty()) << checked.out;
  EXPECT_EQ(text_in(found, "known_until"), "");
  const auto times = evaluated(found);
  for (const char* rule : {"raft", "S1", "S3", "S4", "S6", "S8", "S9", "S10", "S11", "S12", "S13",
                           "S15", "S20", "S22", "handover", "slots", "L5", "L9"}) {
    EXPECT_GT(times.at(rule), 0u) << rule;
  }
  for (const char* file : {"report.html", "history.jsonl", "junit.xml", "trace.json"}) {
    EXPECT_TRUE(cli::fs::exists(cli::fs::path(runs) / "latest" / file)) << file;
  }
  const Outcome again = run("check " + runs + "/latest");
  EXPECT_EQ(again.exit, checked.exit) << again.err;
  EXPECT_EQ(evaluated(cli::parse_object(again.out).value_or(json::object{})), times)
      << "the history has the facts that were judged";
}

TEST_F(Recorded, AClusterThatWasNotRecordedFromItsBirthIsNotJudged) {
  up();
  ASSERT_EQ(run("down").exit, 0);
  const Outcome nothing = run("check " + directory_.string());
  EXPECT_NE(nothing.err.find("was not recorded"), std::string::npos) << nothing.err;
  ASSERT_EQ(run("up --detach --record").exit, 0);
  ASSERT_EQ(run("down").exit, 0);
  const Outcome late = run("check " + directory_.string());
  EXPECT_EQ(late.exit, exit_code(Code::kInvalidState)) << late.err;
  EXPECT_NE(late.err.find("what happened meanwhile is not known"), std::string::npos) << late.err;
}

TEST_F(Recorded, TheClusterGoesOnBeingRecordedUntilItIsToldNotTo) {
  up("--record-limit 1MiB");
  ASSERT_EQ(run("down").exit, 0);
  EXPECT_EQ(recordings().size(), 3u);
  ASSERT_EQ(run("up --detach").exit, 0);
  ASSERT_EQ(run("down").exit, 0);
  EXPECT_EQ(recordings().size(), 6u);
  ASSERT_EQ(run("up --detach --no-record").exit, 0);
  ASSERT_EQ(run("down").exit, 0);
  ASSERT_EQ(run("up --detach").exit, 0);
  EXPECT_EQ(recordings().size(), 6u);
  EXPECT_EQ(replayed().size(), 6u) << "also while the cluster runs";
  expect_refused("up --record --no-record", 64, Code::kInvalidParameter);
  expect_refused("up --record-limit 1KiB", 64, Code::kInvalidParameter);
}

}  // namespace
}  // namespace failsim::test
