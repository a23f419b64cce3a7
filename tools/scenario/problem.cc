#include "tools/scenario/problem.h"

namespace failsim::scenario {

std::string to_line(const std::string& file, const Problem& problem) {
  std::string line = file;
  if (problem.position.line != 0) {
    line +=
        ":" + std::to_string(problem.position.line) + ":" + std::to_string(problem.position.column);
  }
  line += ": " + problem.text;
  if (!problem.next.empty()) line += " " + problem.next;
  return line;
}

}  // namespace failsim::scenario
