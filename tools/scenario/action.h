// What an operator does in a scenario: a verb of the command line with its arguments, as it is
// typed. Which verbs and options there are is declared once, in action.cc; a test compares it with
// the command line's own declaration.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"

namespace failsim::scenario {

struct Action {
  std::string verb;                            // "migrate", "vm start", "node kill", "property set"
  std::vector<std::string> words;              // positionals, in order
  std::map<std::string, std::string> options;  // "--to" -> "node-2"; flags -> ""
  bool operator==(const Action&) const = default;
};

// "migrate web --to node-2 --bandwidth 4MiB/s". Unknown verb or option, missing or surplus words,
// values that do not parse: kInvalidParameter with a sentence and the nearest valid word.
Result<Action> parse_action(std::string_view text);
std::string to_text(const Action& action);

}  // namespace failsim::scenario
