#include "tools/scenario/outcome.h"

#include <utility>

namespace failsim::scenario {

void Outcome::add(const std::string& label, std::string text, Time at) {
  violations.push_back({label, std::move(text), at});
  verdict = worse(verdict, verdict_of(label));
}

}  // namespace failsim::scenario
