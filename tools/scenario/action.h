// What an operator does in a scenario: a verb of the command line with its arguments, as it is
// typed. Which verbs and options there are is declared once, in action.cc; a test compares it with
// the command line's own declaration.
#pragma once

#include <map>
#include <span>
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

  bool has(const std::string& option) const { return options.contains(option); }
  // What was typed or the default of the declaration; empty if there is neither.
  std::string option(const std::string& name) const;
};

// ---- The declaration ----------------------------------------------------------------------------

enum class ArgumentType {
  kVm,        // the name of a VM
  kNode,      // the name of a node
  kObject,    // vm/NAME, group/NAME, node/NAME, cluster, or the bare name of a VM
  kText,      // anything: a property, a value, a requested state
  kTask,      // a number, or job(VM): the newest migration of that VM
  kSize,      // "64MiB"
  kRate,      // "8MiB/s"
  kDuration,  // "300ms"
  kCount,     // a positive number
  kThrottle,  // "20,10,99"
  kChoice,    // one of `choices`
  kFlag       // no value
};

struct ActionArgument {
  std::string_view name;  // "VM", "--to"
  ArgumentType type = ArgumentType::kText;
  std::string_view fallback = {};
  std::span<const std::string_view> choices = {};
  bool is_required = false;  // of an option; words always are
};

struct ActionVerb {
  std::string_view path;
  std::span<const ActionArgument> words;
  std::span<const ActionArgument> options;
};

// Every verb that changes something. A scenario never waits for a task: --wait and --no-wait are
// not among the options, and what became of the task is an expectation.
std::span<const ActionVerb> action_verbs();
// Null if there is none.
const ActionVerb* find_verb(std::string_view path);

// ---- As text ------------------------------------------------------------------------------------

// "migrate web --to node-2 --bandwidth 4MiB/s". Unknown verb or option, missing or surplus words,
// values that do not parse: kInvalidParameter with a sentence and the nearest valid word; `at` gets
// the offset of the error in bytes.
Result<Action> parse_action(std::string_view text, std::size_t* at = nullptr);
std::string to_text(const Action& action);

}  // namespace failsim::scenario
