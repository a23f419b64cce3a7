#include "tools/scenario/contradictions.h"

namespace failsim::scenario {
namespace {

// What holds when a step ends, if it says so; and what has to hold the moment it begins.
const Condition* holds_after(const Step& step) {
  if (const auto* expect = std::get_if<Expect>(&step.effect)) return &expect->condition;
  if (const auto* hold = std::get_if<Hold>(&step.effect)) return &hold->condition;
  return nullptr;
}

const Condition* needed_at_once(const Step& step) {
  const auto* expect = std::get_if<Expect>(&step.effect);
  if (expect != nullptr && expect->within == 0) return &expect->condition;
  if (const auto* hold = std::get_if<Hold>(&step.effect)) return &hold->condition;
  return nullptr;
}

bool contradict(const Condition& one, const Condition& other) {
  Condition both;
  both.form = Condition::Form::kAnd;
  both.operands = {one, other};
  return is_possible(one) && is_possible(other) && !is_possible(both);
}

}  // namespace

std::vector<Problem> contradictions(const Scenario& scenario) {
  std::vector<Problem> problems;
  const Step* before = nullptr;
  for (const Step& step : scenario.steps) {
    const Condition* needed = needed_at_once(step);
    if (needed != nullptr && step.when && contradict(*step.when, *needed)) {
      problems.push_back(
          {step.position, "What is asked here contradicts the step's own trigger.",
           "It begins in the moment in which the trigger holds; give it a time: within."});
    }
    const Condition* known = before == nullptr ? nullptr : holds_after(*before);
    const bool follows_at_once = known != nullptr && !step.when && !step.at;
    if (needed != nullptr && follows_at_once && contradict(*known, *needed)) {
      problems.push_back(
          {step.position,
           "This contradicts the step above it, and no time passes in between: both ask for " +
               to_text(*known) + " and " + to_text(*needed) + ".",
           "Give it a time (within), or change one of them."});
    }
    before = &step;
  }
  return problems;
}

}  // namespace failsim::scenario
