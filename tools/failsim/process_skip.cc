#include "tools/failsim/process_skip.h"

#include "tools/failsim/process_faults.h"
#include "tools/scenario/field.h"

namespace failsim::cli {
namespace {

using scenario::Condition;
using scenario::Effect;
using scenario::Expect;
using scenario::Hold;
using scenario::Inject;
using scenario::Reaction;
using scenario::Scenario;
using scenario::Step;

const char* first_virtual_field(const Condition& condition) {
  for (const scenario::Comparison* asked : comparisons_of(condition)) {
    const scenario::Field* field = scenario::find_field(asked->subject, asked->field);
    if (field != nullptr && field->is_virtual_only) return field->name.data();
  }
  return nullptr;
}

std::optional<std::string> reason_of(const Effect& effect) {
  if (const auto* injected = std::get_if<Inject>(&effect)) {
    const fault::Kind& kind = *injected->order.kind;
    if (terms_refused_by_processes(injected->order)) return "a process cannot power-off at a point";
    if (kind.in_processes.is_performed) return std::nullopt;
    return "the fault " + std::string(kind.name) +
           " is not performed there: " + std::string(kind.in_processes.reason);
  }
  const Condition* condition = nullptr;
  if (const auto* asked = std::get_if<Expect>(&effect)) condition = &asked->condition;
  if (const auto* asked = std::get_if<Hold>(&effect)) condition = &asked->condition;
  const char* field = condition == nullptr ? nullptr : first_virtual_field(*condition);
  if (field == nullptr) return std::nullopt;
  return "processes do not show " + std::string(field);
}

}  // namespace

std::optional<std::string> reason_to_skip(const Scenario& scenario) {
  for (const Step& step : scenario.steps) {
    if (auto reason = reason_of(step.effect)) return reason;
    if (step.when && first_virtual_field(*step.when) != nullptr) {
      return "processes do not show " + std::string(first_virtual_field(*step.when));
    }
  }
  for (const Reaction& reaction : scenario.reactions) {
    if (auto reason = reason_of(reaction.effect)) return reason;
    if (const char* field = first_virtual_field(reaction.when)) {
      return "processes do not show " + std::string(field);
    }
  }
  if (!scenario.plant.empty()) return "processes have no planted mistakes";
  if (scenario.virtual_only) return "it is virtual-only; its README says why";
  return std::nullopt;
}

}  // namespace failsim::cli
