// A run in virtual time, and how it is judged.
#include "tools/scenario/virtual_run.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tools/scenario/lint.h"
#include "tools/scenario/yaml.h"

namespace failsim::scenario {
namespace {

constexpr const char* kHead =
    "failsim: 1\nvms:\n"
    "  web: {memory: 4MiB, owner: node-1, dirty-rate: 512KiB/s, working-set: 1MiB}\n";

Scenario read(const std::string& text) {
  Reading reading = read_yaml(kHead + text);
  for (const Problem& problem : reading.problems) ADD_FAILURE() << to_line("s", problem);
  Scenario scenario = reading.scenario.value_or(Scenario());
  for (const Problem& problem : lint(scenario)) ADD_FAILURE() << to_line("s", problem);
  scenario.name = "story";
  return scenario;
}

Outcome run(const std::string& text) {
  return run_virtual(read(text));
}

void expect_verdict(const std::string& text, Verdict verdict, const std::string& label,
                    const std::string& part) {
  SCOPED_TRACE(text);
  const Outcome outcome = run(text);
  EXPECT_EQ(outcome.verdict, verdict);
  ASSERT_EQ(outcome.violations.size(), 1u);
  EXPECT_EQ(outcome.violations[0].label, label);
  EXPECT_NE(outcome.violations[0].text.find(part), std::string::npos) << outcome.violations[0].text;
}

TEST(VirtualRun, PassesWhenEverythingIsAsExpected) {
  const Outcome outcome =
      run("steps:\n"
          "  - do: migrate web --to node-2\n"
          "  - expect: vm(web).executes_on == node-2 and task(last).result == Success\n"
          "    within: 10s\n");
  EXPECT_EQ(outcome.verdict, Verdict::kPass);
  EXPECT_TRUE(outcome.violations.empty());
  EXPECT_EQ(outcome.coverage.at("migration Move -> No Migration"), 1u);
  EXPECT_EQ(outcome.coverage.at("answer migrate ERROR_SUCCESS"), 1u);
  EXPECT_GT(outcome.evaluations.at("S1"), 0u);
  EXPECT_GT(outcome.evaluations.at("L1"), 0u);
  const std::string moved = "owner vm/web node-1 -> node-2 @node-2";
  EXPECT_NE(std::find(outcome.events.begin(), outcome.events.end(), moved), outcome.events.end());
}

TEST(VirtualRun, IsTheSameEveryTime) {
  const std::string text =
      "steps:\n  - fault: kill one for=2s\n  - pause: 5s\n  - fault: kill one for=2s\n";
  const Outcome first = run(text);
  const Outcome second = run(text);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.events, second.events);
  EXPECT_NE(first.trace_hash, run("seed: 2\n" + text).trace_hash);
  EXPECT_EQ(run_virtual_twice(read(text)).verdict, Verdict::kPass);
}

TEST(VirtualRun, FailsLivenessWhenAnExpectationDoesNotComeTrue) {
  expect_verdict("steps:\n  - expect: vm(web).state == Paused\n    within: 2s\n",
                 Verdict::kLiveness, "expect",
                 "story:5:13: vm(web).state == Paused did not come true within 2 s, at 2 s: "
                 "vm(web).state is Running.");
  expect_verdict("steps:\n  - expect: vm(web).state == Paused\n", Verdict::kLiveness, "expect",
                 "does not hold");
}

TEST(VirtualRun, FailsSafetyWhenSomethingDoesNotHold) {
  expect_verdict(
      "steps:\n  - hold: vm(web).executing\n    for: 5s\n"
      "reactions:\n  - when: vm(web).counter >= 300\n    do: vm pause web\n",
      Verdict::kSafety, "hold", "no longer holds");
}

TEST(VirtualRun, FailsSafetyWhenAnAnswerIsNotTheExpectedOne) {
  expect_verdict("steps:\n  - do: vm resume web\n", Verdict::kSafety, "answer", "VM_E_VM_RUNNING");
  expect_verdict("steps:\n  - do: vm pause web\n    refused: any\n", Verdict::kSafety, "answer",
                 "was to be refused");
  expect_verdict("steps:\n  - do: vm resume web\n    refused: VM_E_VM_PAUSED\n", Verdict::kSafety,
                 "answer", "was to be refused with VM_E_VM_PAUSED");
}

TEST(VirtualRun, IsInconclusiveWhenATriggerNeverComesOrAFaultHitsNothing) {
  expect_verdict("steps:\n  - when: vm(web).state == Paused\n    when-within: 1s\n    heal: all\n",
                 Verdict::kInconclusive, "trigger", "did not come within 1 s");
  expect_verdict("steps:\n  - fault: kill source(web)\n", Verdict::kInconclusive, "inject",
                 "was not injected");
}

TEST(VirtualRun, AsksForRecoveryWithinItsTime) {
  const Outcome outcome =
      run("recovery: 100ms\nsteps:\n  - fault: kill node-1 evidence=silent\n  - pause: 300ms\n");
  EXPECT_EQ(outcome.verdict, Verdict::kLiveness);
  EXPECT_EQ(run("recovery: 0s\nsteps:\n  - fault: kill node-1\n").verdict, Verdict::kPass);
}

TEST(VirtualRun, FailsSafetyWhenAnInvariantIsViolated) {
  const Outcome outcome =
      run("steps:\n"
          "  - fault: forget-page node-1\n"
          "  - do: migrate web --to node-2\n"
          "  - expect: vm(web).executes_on == node-2\n    within: 10s\n");
  EXPECT_EQ(outcome.verdict, Verdict::kSafety);
  EXPECT_TRUE(std::any_of(outcome.violations.begin(), outcome.violations.end(),
                          [](const auto& violation) { return violation.label == "S10"; }));
}

TEST(VirtualRun, LeavesNodesBrokenThatAreToStayBroken) {
  EXPECT_EQ(run("left-broken: [node-3]\nsteps:\n  - do: node kill node-3\n").verdict,
            Verdict::kPass);
  const Outcome by_fault = run("left-broken: [node-3]\nsteps:\n  - fault: kill node-3 for=60s\n");
  EXPECT_EQ(by_fault.verdict, Verdict::kPass);
  EXPECT_EQ(by_fault.events.back(), "node-state node/node-3 Up -> Down @node-3");
}

TEST(VirtualRun, GivesTheLogTheLeaderThatIsAskedFor) {
  for (const char* node : {"node-1", "node-2", "node-3"}) {
    const std::string text =
        std::string("leader: ") + node + "\nsteps:\n  - expect: cluster.leader == " + node + "\n";
    EXPECT_EQ(run(text).verdict, Verdict::kPass) << node;
  }
}

TEST(VirtualRun, ReactsAsOftenAsItMay) {
  const Outcome outcome =
      run("steps:\n"
          "  - pause: 3s\n  - do: vm pause web\n  - pause: 1s\n  - do: vm resume web\n"
          "  - pause: 1s\n  - do: vm pause web\n  - pause: 1s\n  - do: vm resume web\n"
          "reactions:\n"
          "  - when: vm(web).state == Paused\n    times: 2\n"
          "    do: property set cluster Description paused\n");
  EXPECT_EQ(outcome.verdict, Verdict::kPass);
  EXPECT_EQ(outcome.coverage.at("reaction"), 2u);
}

TEST(VirtualRun, HealsAFaultByItsLabel) {
  const Outcome outcome =
      run("steps:\n"
          "  - fault: isolate node-2 for=60s\n    label: cut\n"
          "  - expect: fault(cut).active\n"
          "  - expect: node(node-2).state == Down\n    within: 5s\n"
          "  - heal: cut\n"
          "  - expect: not fault(cut).active\n"
          "  - expect: node(node-2).state == Up\n    within: 5s\n");
  EXPECT_EQ(outcome.verdict, Verdict::kPass);
}

TEST(Verdicts, AreOrderedByTheirGravity) {
  EXPECT_EQ(worse(Verdict::kLiveness, Verdict::kSafety), Verdict::kSafety);
  EXPECT_EQ(worse(Verdict::kInconclusive, Verdict::kLiveness), Verdict::kLiveness);
  EXPECT_EQ(worse(Verdict::kNotDeterministic, Verdict::kInconclusive), Verdict::kNotDeterministic);
  EXPECT_EQ(worse(Verdict::kPass, Verdict::kPass), Verdict::kPass);
  EXPECT_EQ(verdict_of("S1"), Verdict::kSafety);
  EXPECT_EQ(verdict_of("L3"), Verdict::kLiveness);
  EXPECT_EQ(verdict_of("replay"), Verdict::kNotDeterministic);
}

}  // namespace
}  // namespace failsim::scenario
