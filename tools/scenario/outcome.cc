#include "tools/scenario/outcome.h"

#include <algorithm>
#include <array>

namespace failsim::scenario {
namespace {

// Worst first.
constexpr std::array kByGravity = {Verdict::kSafety, Verdict::kLiveness, Verdict::kNotDeterministic,
                                   Verdict::kInconclusive, Verdict::kPass};

}  // namespace

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kSafety:
      return "safety";
    case Verdict::kLiveness:
      return "liveness";
    case Verdict::kInconclusive:
      return "inconclusive";
    case Verdict::kNotDeterministic:
      return "not deterministic";
  }
  return "";
}

Verdict verdict_of(const std::string& label) {
  if (label == "trigger" || label == "inject") return Verdict::kInconclusive;
  if (label == "replay") return Verdict::kNotDeterministic;
  if (label == "expect" || label.starts_with("L")) return Verdict::kLiveness;
  return Verdict::kSafety;
}

Verdict worse(Verdict one, Verdict other) {
  const auto rank = [](Verdict verdict) {
    return std::find(kByGravity.begin(), kByGravity.end(), verdict);
  };
  return rank(one) <= rank(other) ? one : other;
}

void Outcome::add(const std::string& label, std::string text, Time at) {
  violations.push_back({label, std::move(text), at});
  verdict = worse(verdict, verdict_of(label));
}

}  // namespace failsim::scenario
