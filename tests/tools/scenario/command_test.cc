// failsim scenario, as a person meets it: what it prints and how it exits.
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/file_content.h"
#include "tests/temporary_directory.h"
#include "tests/tools/program.h"
#include "tools/failsim/json.h"

namespace failsim::cli {
namespace {

namespace fs = std::filesystem;
using test::Outcome;

constexpr const char* kHead =
    "failsim: 1\nvms:\n"
    "  web: {memory: 4MiB, owner: node-1, dirty-rate: 512KiB/s, working-set: 1MiB}\n"
    "recovery: 0s\nsteps:\n";

class ScenarioCommand : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    set_content(root_ / path, text);
  }
  // A scenario of these steps.
  void write_scenario(const std::string& name, const std::string& steps) {
    write(name + "/README.md", "It shows something.\n");
    write(name + "/scenario.yaml", kHead + steps);
  }
  std::string text_of(const std::string& path) { return content_of(root_ / path); }
  Outcome run(const std::vector<std::string>& words, const std::string& path) {
    std::vector<std::string> all = {FAILSIM_PROGRAM, "scenario"};
    all.insert(all.end(), words.begin(), words.end());
    all.push_back((root_ / path).string());
    return test::run_program(all);
  }
  int exit_of(const std::string& steps) {
    write_scenario("one", steps);
    run({"run", "--rewrite"}, "one");
    return run({"run"}, "one").exit;
  }

  const TemporaryDirectory directory_;
  const fs::path root_{directory_.path()};
};

TEST_F(ScenarioCommand, ExitsWithTheVerdict) {
  EXPECT_EQ(exit_of("  - do: vm pause web\n"), 0);
  EXPECT_EQ(exit_of("  - do: vm resume web\n"), 1);
  EXPECT_EQ(exit_of("  - expect: vm(web).state == Saved\n    within: 1s\n"), 2);
  EXPECT_EQ(exit_of("  - fault: kill source(web)\n"), 3);
}

TEST_F(ScenarioCommand, PinsTheEventsAndShowsTheFirstDifference) {
  write_scenario("one", "  - do: vm pause web\n  - pause: 1s\n");
  const Outcome without = run({"run"}, "one");
  EXPECT_EQ(without.exit, 0) << without.err;
  EXPECT_NE(without.err.find("There are no expected events"), std::string::npos) << without.err;
  EXPECT_NE(without.err.find("Pin them with --rewrite"), std::string::npos) << without.err;
  EXPECT_EQ(run({"run", "--require-events"}, "one").exit, 1);
  EXPECT_EQ(run({"run", "--rewrite"}, "one").exit, 0);
  const Outcome pinned = run({"run", "--require-events"}, "one");
  EXPECT_EQ(pinned.exit, 0);
  EXPECT_EQ(pinned.err, "");
  EXPECT_NE(text_of("one/events.expected").find("vm-state vm/web Running -> Paused @node-1\n"),
            std::string::npos);
  write("one/events.expected", "something else\n");
  const Outcome changed = run({"run"}, "one");
  EXPECT_EQ(changed.exit, 1);
  EXPECT_NE(changed.err.find("events.expected:1:1: Expected was something else"), std::string::npos)
      << changed.err;
}

TEST_F(ScenarioCommand, ALoneFileHasItsOwnNameAndNoExpectedEvents) {
  write("box/solo.yaml", std::string(kHead) + "  - do: vm pause web\n");
  write("box/other.yaml", std::string(kHead) + "  - pause: 1s\n");
  write("box/events.expected", "of nobody\n");
  const Outcome solo = run({"run"}, "box/solo.yaml");
  EXPECT_EQ(solo.exit, 0) << solo.err;
  EXPECT_TRUE(solo.out.starts_with("pass  solo  ")) << solo.out;
  EXPECT_EQ(solo.err, "");
  const Outcome pinned = run({"run", "--rewrite"}, "box/solo.yaml");
  EXPECT_EQ(pinned.exit, 64);
  EXPECT_NE(pinned.err.find("of a scenario.yaml in a folder of its own"), std::string::npos);
  EXPECT_EQ(text_of("box/events.expected"), "of nobody\n");
}

// Below a file no directory can be created, whoever asks.
TEST_F(ScenarioCommand, AReportThatCannotBeWrittenHidesNoVerdict) {
  write("file", "in the way\n");
  const std::string report = "--report=" + (root_ / "file/runs").string();
  write_scenario("late", "  - expect: vm(web).state == Saved\n    within: 1s\n");
  const Outcome late = run({"run", report}, "late");
  EXPECT_EQ(late.exit, 2) << late.err;
  EXPECT_NE(late.out.find("liveness  late"), std::string::npos) << late.out;
  EXPECT_NE(late.err.find("failsim: "), std::string::npos) << late.err;
  write_scenario("good", "  - do: vm pause web\n");
  const Outcome good = run({"run", report}, "good");
  EXPECT_EQ(good.exit, 70) << good.err;
  EXPECT_NE(good.out.find("pass  good"), std::string::npos) << good.out;
}

TEST_F(ScenarioCommand, TheLineThatReplaysItIsOneThatAShellReads) {
  write_scenario("my dir", "  - do: vm resume web\n");
  run({"run", "--report=" + (root_ / "runs").string()}, "my dir");
  EXPECT_EQ(text_of("runs/latest/replay.txt"),
            "failsim scenario run '" + (root_ / "my dir/scenario.yaml").string() + "'\n");
}

TEST_F(ScenarioCommand, LintTellsProgramsWhatIsWrong) {
  write_scenario("good", "  - do: vm pause web\n");
  write_scenario("wrong", "  - do: vm puase web\n");
  const Outcome both = run({"lint", "--output", "json"}, "");
  EXPECT_EQ(both.exit, 64);
  const std::optional<json::object> answer = parse_object(both.out);
  ASSERT_TRUE(answer) << both.out;
  EXPECT_EQ(number_in(*answer, "scenarios"), 2u);
  EXPECT_EQ(number_in(*answer, "ready"), 1u);
  EXPECT_EQ(array_in(*answer, "problems").size(), 1u);
  const Outcome good = run({"lint", "--output", "json"}, "good");
  EXPECT_EQ(good.exit, 0);
  EXPECT_EQ(good.out, "{\"scenarios\":1,\"ready\":1,\"problems\":[]}\n");
}

TEST_F(ScenarioCommand, DoesNotRenewTheEventsOfWhatFails) {
  write_scenario("one", "  - do: vm resume web\n");
  EXPECT_EQ(run({"run", "--rewrite"}, "one").exit, 1);
  EXPECT_FALSE(fs::exists(root_ / "one/events.expected"));
}

TEST_F(ScenarioCommand, StartsNothingWhenOneOfThemIsWrong) {
  write_scenario("good", "  - do: vm pause web\n");
  write_scenario("wrong", "  - do: vm puase web\n");
  const Outcome outcome = run({"run", "--rewrite"}, "");
  EXPECT_EQ(outcome.exit, 64);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("wrong/scenario.yaml:6:9: \"vm puase\" is no action"),
            std::string::npos)
      << outcome.err;
  EXPECT_FALSE(fs::exists(root_ / "good/events.expected"));
  EXPECT_EQ(run({"lint"}, "").exit, 64);
  EXPECT_EQ(run({"lint"}, "good").exit, 0);
}

TEST_F(ScenarioCommand, TakesSeveralPathsAndExitsWithTheWorst) {
  write_scenario("good", "  - do: vm pause web\n");
  write_scenario("late", "  - expect: vm(web).state == Saved\n    within: 1s\n");
  const Outcome outcome = run({"run", "--rewrite", (root_ / "good").string()}, "late");
  EXPECT_EQ(outcome.exit, 2) << outcome.err;
  EXPECT_NE(outcome.out.find("pass  good"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("liveness  late"), std::string::npos) << outcome.out;
}

TEST_F(ScenarioCommand, WantsASentence) {
  write_scenario("one", "  - do: vm pause web\n");
  write("one/README.md", "# one\n");
  const Outcome outcome = run({"lint"}, "one");
  EXPECT_EQ(outcome.exit, 64);
  EXPECT_NE(outcome.err.find("README.md:1:1: The README has no sentence."), std::string::npos);
}

TEST_F(ScenarioCommand, SaysWhatProcessesCannotPlay) {
  write("one/README.md", "It shows something.\n");
  write("one/scenario.yaml",
        std::string("virtual-only: true\n") + kHead + "  - fault: power-off node-1\n");
  const Outcome outcome = run({"run", "--on", "processes"}, "one");
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("skipped  one: the fault power-off is not performed there"),
            std::string::npos)
      << outcome.out;
}

TEST_F(ScenarioCommand, RefusesOptionsOfTheOtherWorld) {
  write_scenario("one", "  - do: vm pause web\n");
  EXPECT_EQ(run({"run", "--on", "paper"}, "one").exit, 64);
  EXPECT_EQ(run({"run", "--on", "processes", "--rewrite"}, "one").exit, 64);
  EXPECT_EQ(run({"run", "--on", "processes", "--require-events"}, "one").exit, 64);
  EXPECT_EQ(run({"run", "--rewrite", "--require-events"}, "one").exit, 64);
  EXPECT_EQ(run({"list", "--markdown", "--output", "json"}, "one").exit, 64);
}

TEST_F(ScenarioCommand, RefusesAPathWithoutScenarios) {
  EXPECT_EQ(run({"run"}, "nothing").exit, 64);
  EXPECT_EQ(run({"list"}, "").exit, 64);
}

TEST_F(ScenarioCommand, TellsProgramsTheWholeOutcome) {
  write_scenario("one", "  - do: migrate web --to node-2\n  - pause: 5s\n");
  run({"run", "--rewrite"}, "one");
  const Outcome outcome = run({"run", "--output", "json"}, "one");
  EXPECT_EQ(outcome.exit, 0);
  const std::optional<json::value> answer = parse_json(outcome.out);
  ASSERT_TRUE(answer.has_value() && answer->is_array());
  ASSERT_EQ(answer->get_array().size(), 1u);
  const json::object& result = answer->get_array().front().as_object();
  EXPECT_EQ(text_in(result, "name"), "one");
  EXPECT_EQ(text_in(result, "verdict"), "pass");
  EXPECT_EQ(number_in(object_in(result, "coverage"), "answer migrate ERROR_SUCCESS"), 1u);
  EXPECT_GT(number_in(object_in(result, "evaluations"), "S1"), 0u);
  const Outcome list = run({"list", "--output", "json"}, "");
  EXPECT_NE(list.out.find("It shows something."), std::string::npos);
}

}  // namespace
}  // namespace failsim::cli
