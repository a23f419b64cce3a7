#include "tools/report/verdict.h"

#include <algorithm>
#include <array>

namespace failsim::history {
namespace {

// Worst first.
constexpr std::array kByGravity = {Verdict::kSafety,       Verdict::kLiveness,
                                   Verdict::kTimeout,      Verdict::kNotDeterministic,
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
    case Verdict::kTimeout:
      return "timeout";
  }
  return "";
}

Verdict verdict_of(const std::string& label) {
  if (label == "trigger" || label == "inject" || label == "facts") return Verdict::kInconclusive;
  if (label == "timeout") return Verdict::kTimeout;
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

Verdict verdict_of(const std::vector<invariants::Violation>& violations) {
  Verdict worst = Verdict::kPass;
  for (const invariants::Violation& violation : violations) {
    worst = worse(worst, verdict_of(violation.label));
  }
  return worst;
}

}  // namespace failsim::history
