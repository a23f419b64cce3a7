// What is wrong with a scenario, and where: told before anything starts.
#pragma once

#include <string>
#include <vector>

#include "tools/scenario/scenario.h"

namespace failsim::scenario {

struct Problem {
  Position position;
  std::string text;  // one sentence, with its full stop
  std::string next;  // what to do next, a sentence; may be empty
};

// "file:line:column: sentence. next"
std::string to_line(const std::string& file, const Problem& problem);

}  // namespace failsim::scenario
