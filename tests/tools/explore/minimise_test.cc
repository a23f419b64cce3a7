// A failing scenario is made smaller until nothing of it can be left out.

#include "tools/explore/minimise.h"

#include <algorithm>
#include <variant>

#include <gtest/gtest.h>

#include "cluster/fault/order.h"
#include "tools/explore/draw.h"

namespace failsim::explore {
namespace {

scenario::Effect inject(const std::string& order) {
  scenario::Inject effect;
  effect.order = fault::parse_order(order).take();
  return effect;
}

scenario::Effect act(const std::string& action) {
  scenario::Do effect;
  effect.action = scenario::parse_action(action).take();
  return effect;
}

bool has_fault(const scenario::Scenario& scenario, const std::string& kind) {
  return std::any_of(scenario.steps.begin(), scenario.steps.end(), [&](const auto& step) {
    const auto* inject = std::get_if<scenario::Inject>(&step.effect);
    return inject != nullptr && inject->order.kind->name == kind;
  });
}

bool has_action(const scenario::Scenario& scenario, const std::string& verb) {
  return std::any_of(scenario.steps.begin(), scenario.steps.end(), [&](const auto& step) {
    const auto* done = std::get_if<scenario::Do>(&step.effect);
    return done != nullptr && done->action.verb == verb;
  });
}

// A world in which a migration, a freeze of at least a second and two nodes break S1.
scenario::Outcome run_imagined(const scenario::Scenario& scenario) {
  scenario::Outcome outcome;
  bool freezes = false;
  for (const scenario::Step& step : scenario.steps) {
    const auto* inject = std::get_if<scenario::Inject>(&step.effect);
    freezes = freezes || (inject != nullptr && inject->order.kind->name == "freeze" &&
                          inject->order.lease >= kSecond);
  }
  if (freezes && has_action(scenario, "migrate") && scenario.topology.nodes >= 2) {
    outcome.violations.push_back({"S1", "two execute", 5 * kSecond});
  }
  if (has_fault(scenario, "kill")) outcome.violations.push_back({"L2", "it does not run", 0});
  return outcome;
}

// Thirty steps of which two matter.
scenario::Scenario thirty_steps() {
  scenario::Scenario scenario;
  scenario.topology.nodes = 5;
  scenario.topology.link_loss_per_mille = 20;
  scenario.writers = 2;
  scenario.vms.resize(2);
  for (int i = 0; i < 30; ++i) {
    scenario::Step step;
    step.at = i * 1234 * kMillisecond;
    step.effect = i == 11   ? inject("freeze node-2 for=7s")
                  : i == 17 ? act("migrate vm-1 --to node-2 --max-rounds 3 --verify before-resume")
                  : i % 3   ? inject("kill node-1 for=3s")
                            : act("vm pause vm-2");
    scenario.steps.push_back(std::move(step));
  }
  scenario::Reaction reaction;
  reaction.when = scenario::parse_condition("migration(vm-1).state == Move").take();
  reaction.effect = inject("isolate leader for=3s");
  scenario.reactions.push_back(reaction);
  return scenario;
}

TEST(Minimise, ThirtyStepsBecomeTheTwoThatMatter) {
  const Minimised smallest = minimise(thirty_steps(), "S1", run_imagined, {});
  EXPECT_TRUE(smallest.is_minimal);
  ASSERT_EQ(smallest.scenario.steps.size(), 2u);
  EXPECT_TRUE(smallest.scenario.reactions.empty());
  const auto& freeze = std::get<scenario::Inject>(smallest.scenario.steps[0].effect);
  EXPECT_EQ(fault::to_text(freeze.order), "freeze node-2 for=1s");
  const auto& migrate = std::get<scenario::Do>(smallest.scenario.steps[1].effect);
  EXPECT_EQ(scenario::to_text(migrate.action), "migrate vm-1 --to node-2");
  EXPECT_EQ(smallest.scenario.topology.nodes, 2u);
  EXPECT_EQ(smallest.scenario.topology.link_loss_per_mille, 0u);
  EXPECT_EQ(smallest.scenario.writers, 0u);
  EXPECT_TRUE(smallest.scenario.vms.empty());
  EXPECT_EQ(smallest.scenario.recovery, 0);
}

TEST(Minimise, NoStepOfTheResultCanBeLeftOut) {
  const Minimised smallest = minimise(thirty_steps(), "S1", run_imagined, {});
  for (std::size_t i = 0; i < smallest.scenario.steps.size(); ++i) {
    scenario::Scenario less = smallest.scenario;
    less.steps.erase(less.steps.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(find_violation(run_imagined(less), "S1"), nullptr) << "without step " << i;
  }
}

TEST(Minimise, StaysWithTheInvariantItWasGiven) {
  const Minimised smallest = minimise(thirty_steps(), "L2", run_imagined, {});
  ASSERT_EQ(smallest.scenario.steps.size(), 1u);
  EXPECT_TRUE(has_fault(smallest.scenario, "kill"));
}

TEST(Minimise, LimitsEndTheSearchWithAFailingScenario) {
  MinimiseLimits limits;
  limits.runs = 10;
  const Minimised smaller = minimise(thirty_steps(), "S1", run_imagined, limits);
  EXPECT_FALSE(smaller.is_minimal);
  EXPECT_LE(smaller.runs, 10u);
  EXPECT_NE(find_violation(run_imagined(smaller.scenario), "S1"), nullptr);
}

}  // namespace
}  // namespace failsim::explore
