#include "tools/explore/hits.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "tools/scenario/virtual_run.h"

namespace failsim::explore {
namespace {

using scenario::FaultCourse;
using scenario::Scenario;

// How often the fault hit before it was refused; nothing if it never was.
std::optional<std::uint32_t> hits_before_refused(const scenario::Effect& effect,
                                                 const FaultCourse& course) {
  const auto* inject = std::get_if<scenario::Inject>(&effect);
  const auto found = inject == nullptr ? course.end() : course.find(inject);
  if (found == course.end()) return std::nullopt;
  const std::vector<bool>& hits = found->second;
  const auto refused = std::find(hits.begin(), hits.end(), false);
  if (refused == hits.end()) return std::nullopt;
  return static_cast<std::uint32_t>(refused - hits.begin());
}

bool prune_steps(Scenario& scenario, const FaultCourse& course) {
  std::vector<scenario::Step> kept;
  std::optional<Time> at;  // of the steps that went
  bool has_changed = false;
  for (scenario::Step& step : scenario.steps) {
    const bool is_refused = hits_before_refused(step.effect, course).has_value();
    const bool is_last = &step == &scenario.steps.back();
    has_changed = has_changed || is_refused;
    if (!step.at) step.at = at;
    at.reset();
    if (is_refused && !step.when && !is_last) {
      at = step.at;
      continue;
    }
    if (is_refused) step.effect = scenario::Pause{0};  // what it waited for still matters
    kept.push_back(std::move(step));
  }
  scenario.steps = std::move(kept);
  return has_changed;
}

bool prune_reactions(Scenario& scenario, const FaultCourse& course) {
  bool has_changed = false;
  for (scenario::Reaction& reaction : scenario.reactions) {
    const auto hits = hits_before_refused(reaction.effect, course);
    if (!hits) continue;
    reaction.times = *hits;
    has_changed = true;
  }
  std::erase_if(scenario.reactions, [](const auto& reaction) { return reaction.times == 0; });
  return has_changed;
}

}  // namespace

Scenario without_refused_faults(Scenario drawn) {
  // Each round takes something away, so there is a last one.
  for (;;) {
    FaultCourse course;
    scenario::VirtualRunOptions options;
    options.skips_refused_faults = true;
    options.stops_at_violation = true;
    options.faults = &course;
    scenario::run_virtual(drawn, options);
    const bool steps_changed = prune_steps(drawn, course);
    const bool reactions_changed = prune_reactions(drawn, course);
    if (!steps_changed && !reactions_changed) return drawn;
  }
}

}  // namespace failsim::explore
