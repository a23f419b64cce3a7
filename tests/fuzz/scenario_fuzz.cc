// Whatever the text: it is a scenario or there are problems with a place and a sentence; and what
// was read is written as a text that reads back to the same scenario. Stops the process if not.

#include <string>

#include "tests/fuzz/target.h"
#include "tools/scenario/lint.h"
#include "tools/scenario/yaml.h"

namespace {

using namespace failsim;
using namespace failsim::scenario;

void check_problems(const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) require(!problem.text.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const Reading reading = read_yaml(text);
  require(reading.scenario.has_value() == reading.problems.empty());
  check_problems(reading.problems);
  if (!reading.scenario) return 0;
  check_problems(lint(*reading.scenario));
  const std::string written = to_yaml(*reading.scenario);
  const Reading again = read_yaml(written);
  require(again.scenario.has_value());
  require(to_yaml(*again.scenario) == written);
  return 0;
}
