// A run in a process of its own: what it violates comes back, and an assertion ends only the child.

#include "tools/explore/assertion.h"

#include <cstdlib>
#include <functional>

#include <gtest/gtest.h>

#include "tools/explore/minimise.h"

namespace failsim::explore {
namespace {

scenario::Outcome in_child(const std::function<scenario::Outcome()>& run) {
  Worlds worlds;
  worlds.run = [&run](const scenario::Scenario&, std::ostream*) { return run(); };
  return run_in_child(scenario::Scenario(), worlds);
}

TEST(InAChild, ViolationsComeBackInTheirOrder) {
  const scenario::Outcome outcome = in_child([] {
    scenario::Outcome found;
    found.add("S1", "VM web runs twice");
    found.add("L3", "a task has not ended");
    return found;
  });
  ASSERT_EQ(outcome.violations.size(), 2u);
  EXPECT_EQ(outcome.violations[0].label, "S1");
  EXPECT_EQ(outcome.violations[1].label, "L3");
  EXPECT_EQ(outcome.verdict, scenario::Verdict::kSafety);
}

TEST(InAChild, ACleanRunIsClean) {
  EXPECT_TRUE(in_child([] { return scenario::Outcome(); }).violations.empty());
}

TEST(InAChild, AFailedAssertionIsAViolation) {
  const scenario::Outcome outcome = in_child([]() -> scenario::Outcome { std::abort(); });
  EXPECT_NE(find_violation(outcome, kAssertion), nullptr);
}

}  // namespace
}  // namespace failsim::explore
