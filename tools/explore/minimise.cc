#include "tools/explore/minimise.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "tools/explore/shrink.h"
#include "tools/explore/weaken.h"
#include "tools/scenario/lint.h"

namespace failsim::explore {
namespace {

// Steps and reactions of a scenario, in one row: first the steps.
std::size_t count_of(const scenario::Scenario& scenario) {
  return scenario.steps.size() + scenario.reactions.size();
}

const scenario::Effect& effect_of(const scenario::Scenario& scenario, std::size_t at) {
  return at < scenario.steps.size() ? scenario.steps[at].effect
                                    : scenario.reactions[at - scenario.steps.size()].effect;
}

bool is_fault(const scenario::Effect& effect) {
  return std::holds_alternative<scenario::Inject>(effect) ||
         std::holds_alternative<scenario::Heal>(effect);
}

// Only those; `positions` rise.
scenario::Scenario only(const scenario::Scenario& whole,
                        const std::vector<std::size_t>& positions) {
  scenario::Scenario part = whole;
  part.steps.clear();
  part.reactions.clear();
  for (const std::size_t at : positions) {
    if (at < whole.steps.size()) {
      part.steps.push_back(whole.steps[at]);
    } else {
      part.reactions.push_back(whole.reactions[at - whole.steps.size()]);
    }
  }
  return part;
}

class Minimiser {
 public:
  Minimiser(const scenario::Scenario& failing, std::string label, const Run& run,
            const MinimiseLimits& limits)
      : best_(failing), label_(std::move(label)), run_(run), limits_(limits) {}

  Minimised minimise();

 private:
  // Takes it if it still fails.
  bool take(const scenario::Scenario& candidate);
  bool fails(const scenario::Scenario& candidate);
  void cut_tail();
  void drop(const std::function<bool(const scenario::Effect&)>& may_go);
  void descend(std::vector<scenario::Scenario> (*variants_of)(const scenario::Scenario&));

  scenario::Scenario best_;
  const std::string label_;
  const Run& run_;
  const MinimiseLimits& limits_;
  std::uint32_t runs_ = 0;
  const bool is_sound_ = scenario::lint(best_).empty();  // and has to stay so
  bool is_out_of_limits_ = false;
};

bool Minimiser::fails(const scenario::Scenario& candidate) {
  if (runs_ >= limits_.runs || (limits_.is_over && limits_.is_over())) {
    is_out_of_limits_ = true;
    return false;
  }
  if (is_sound_ && !scenario::lint(candidate).empty()) return false;
  ++runs_;
  return find_violation(run_(candidate), label_) != nullptr;
}

bool Minimiser::take(const scenario::Scenario& candidate) {
  if (!fails(candidate)) return false;
  best_ = candidate;
  return true;
}

// What comes after the violation did not cause it, and a safety rule is broken without recovery; it
// may need some time.
void Minimiser::cut_tail() {
  scenario::Scenario shorter = best_;
  shorter.recovery = 0;
  shorter.left_broken.clear();
  if (!take(shorter)) {
    scenario::Step rest;
    rest.effect = scenario::Pause{best_.recovery};
    shorter.steps.push_back(std::move(rest));
    take(shorter);
  }
  // Halves, from the end.
  for (std::size_t cut = best_.steps.size() / 2; cut > 0 && !is_out_of_limits_;) {
    shorter = best_;
    shorter.steps.resize(shorter.steps.size() - std::min(cut, shorter.steps.size()));
    if (!take(shorter)) cut /= 2;
    cut = std::min(cut, best_.steps.size());
  }
}

void Minimiser::drop(const std::function<bool(const scenario::Effect&)>& may_go) {
  const scenario::Scenario whole = best_;
  std::vector<std::size_t> fixed;
  std::vector<std::size_t> loose;
  for (std::size_t at = 0; at < count_of(whole); ++at) {
    (may_go(effect_of(whole, at)) ? loose : fixed).push_back(at);
  }
  const auto with = [&](const std::vector<std::size_t>& kept) {
    std::vector<std::size_t> positions = fixed;
    for (const std::size_t i : kept) positions.push_back(loose[i]);
    std::sort(positions.begin(), positions.end());
    return only(whole, positions);
  };
  smallest_part(loose.size(),
                [&](const std::vector<std::size_t>& kept) { return take(with(kept)); });
}

// Takes one variant after the other, each derived from the best so far, as far as it goes.
void Minimiser::descend(std::vector<scenario::Scenario> (*variants_of)(const scenario::Scenario&)) {
  std::vector<scenario::Scenario> variants = variants_of(best_);
  for (std::size_t at = 0; at < variants.size() && !is_out_of_limits_;) {
    if (take(variants[at])) {
      variants = variants_of(best_);
    } else {
      ++at;
    }
  }
}

Minimised Minimiser::minimise() {
  cut_tail();
  for (bool goes_on = true; goes_on && !is_out_of_limits_;) {
    const std::size_t before = count_of(best_);
    drop(is_fault);
    drop([](const scenario::Effect& effect) { return !is_fault(effect); });
    descend(smaller_clusters);
    descend(weakenings);
    drop([](const scenario::Effect&) { return true; });
    goes_on = count_of(best_) < before;
  }
  return Minimised{best_, runs_, !is_out_of_limits_};
}

}  // namespace

const invariants::Violation* find_violation(const scenario::Outcome& outcome,
                                            const std::string& label) {
  const auto found = std::find_if(outcome.violations.begin(), outcome.violations.end(),
                                  [&](const auto& violation) { return violation.label == label; });
  return found == outcome.violations.end() ? nullptr : &*found;
}

Minimised minimise(const scenario::Scenario& failing, const std::string& label, const Run& run,
                   const MinimiseLimits& limits) {
  return Minimiser(failing, label, run, limits).minimise();
}

}  // namespace failsim::explore
