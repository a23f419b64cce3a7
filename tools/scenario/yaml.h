// A scenario as YAML; README.md describes the language.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/scenario/problem.h"
#include "tools/scenario/scenario.h"

namespace failsim::scenario {

// What was read, or what is wrong with it: with problems there is no scenario. Checks the form of
// everything; whether the parts make sense together is lint's to say.
struct Reading {
  std::optional<Scenario> scenario;
  std::vector<Problem> problems;
};
Reading read_yaml(std::string_view text);

// The text that reads back to the same scenario (its name, file and sentence are not in it).
std::string to_yaml(const Scenario& scenario);

}  // namespace failsim::scenario
