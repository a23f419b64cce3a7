#include "tools/scenario/action.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <optional>

#include "cluster/migration/precopy_policy.h"
#include "cluster/units.h"
#include "tools/scenario/words.h"

namespace failsim::scenario {
namespace {

using Type = ArgumentType;

// ---- The table ----------------------------------------------------------------------------------

constexpr std::array<std::string_view, 3> kPatterns = {"uniform", "hot-set", "sequential"};
constexpr std::array<std::string_view, 2> kFills = {"random", "zero"};
constexpr std::array<std::string_view, 2> kCompressions = {"off", "zstd"};
constexpr std::array<std::string_view, 2> kVerifies = {"background", "before-resume"};

constexpr std::array kName = {ActionArgument{"NAME", Type::kVm}};
constexpr std::array kVm = {ActionArgument{"VM", Type::kVm}};
constexpr std::array kNode = {ActionArgument{"NODE", Type::kNode}};
constexpr std::array kTask = {ActionArgument{"ID", Type::kTask}};
constexpr std::array kCreate = {ActionArgument{"--memory", Type::kSize, "256MiB"},
                                ActionArgument{"--owner", Type::kNode},
                                ActionArgument{"--dirty-rate", Type::kRate, "20MiB/s"},
                                ActionArgument{"--working-set", Type::kSize, "32MiB"},
                                ActionArgument{"--pattern", Type::kChoice, "uniform", kPatterns},
                                ActionArgument{"--fill", Type::kChoice, "random", kFills},
                                ActionArgument{"--modelled", Type::kFlag},
                                ActionArgument{"--start", Type::kFlag}};
constexpr std::array kMigrate = {
    ActionArgument{"--to", Type::kNode, {}, {}, true},
    ActionArgument{"--bandwidth", Type::kRate},
    ActionArgument{"--downtime-limit", Type::kDuration, "300ms"},
    ActionArgument{"--max-downtime", Type::kDuration},
    ActionArgument{"--max-rounds", Type::kCount},
    ActionArgument{"--max-bytes", Type::kSize},
    ActionArgument{"--timeout", Type::kDuration},
    ActionArgument{"--on-no-convergence", Type::kChoice, "go-on", kOnNoConvergenceWords},
    ActionArgument{"--throttle", Type::kThrottle},
    ActionArgument{"--streams", Type::kCount},
    ActionArgument{"--compression", Type::kChoice, "off", kCompressions},
    ActionArgument{"--verify", Type::kChoice, "background", kVerifies}};
constexpr std::array kProperty = {ActionArgument{"OBJECT", Type::kObject},
                                  ActionArgument{"NAME", Type::kText},
                                  ActionArgument{"VALUE", Type::kText}};
constexpr std::array kStateChange = {ActionArgument{"ID", Type::kTask},
                                     ActionArgument{"STATE", Type::kText}};
constexpr std::array kPeriod = {ActionArgument{"--timeout", Type::kText}};

constexpr std::array<std::string_view, 2> kControlCodes = {"START_MIGRATION", "CANCEL_MIGRATION"};
constexpr std::array kControl = {ActionArgument{"NAME", Type::kVm},
                                 ActionArgument{"CODE", Type::kChoice, {}, kControlCodes}};
constexpr std::array kControlTo = {ActionArgument{"--to", Type::kNode}};

constexpr std::array kVerbs = {
    ActionVerb{"vm create", kName, kCreate},
    ActionVerb{"vm start", kName, {}},
    ActionVerb{"vm save", kName, {}},
    ActionVerb{"vm pause", kName, {}},
    ActionVerb{"vm resume", kName, {}},
    ActionVerb{"vm reset", kName, {}},
    ActionVerb{"vm turn-off", kName, {}},
    ActionVerb{"vm control", kControl, kControlTo},
    ActionVerb{"vm delete", kName, {}},
    ActionVerb{"migrate", kVm, kMigrate},
    ActionVerb{"migrate cancel", kVm, {}},
    ActionVerb{"property set", kProperty, {}},
    ActionVerb{"task cancel", kTask, {}},
    ActionVerb{"job request-state-change", kStateChange, kPeriod},
    ActionVerb{"node kill", kNode, {}},
    ActionVerb{"node start", kNode, {}},
    ActionVerb{"node stop", kNode, {}},
};

Error refused(std::string text, std::string next) {
  return {Code::kInvalidParameter, std::move(text), std::move(next)};
}

// ---- Values -------------------------------------------------------------------------------------

std::optional<Error> check_choice(const ActionArgument& argument, const std::string& value) {
  const auto& choices = argument.choices;
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return std::nullopt;
  const std::vector<std::string_view> known(choices.begin(), choices.end());
  return refused(std::string(argument.name) + " cannot be \"" + shortened(value) + "\".",
                 did_you_mean(value, known, "Give one of: " + list_of(known) + "."));
}

std::optional<Error> check_task(const std::string& value) {
  const bool names_job = value.starts_with("job(") && value.ends_with(")") && value.size() > 5;
  if (names_job || parse_count(value, 1, std::numeric_limits<std::uint64_t>::max())) {
    return std::nullopt;
  }
  return refused("\"" + shortened(value) + "\" is neither the number of a task nor job(VM).",
                 "Write job(web) for the newest migration of web.");
}

template <typename T>
std::optional<Error> error_of(const ActionArgument& argument, const Result<T>& parsed) {
  if (parsed.ok()) return std::nullopt;
  return refused(std::string(argument.name) + ": " + parsed.error().message, parsed.error().next);
}

// What needs no knowledge of the cluster.
std::optional<Error> check(const ActionArgument& argument, const std::string& value) {
  if (value.empty() && argument.type != Type::kText) {
    return refused(std::string(argument.name) + " is empty.", "Give a value.");
  }
  switch (argument.type) {
    case Type::kSize:
      return error_of(argument, parse_size(value));
    case Type::kRate:
      return error_of(argument, parse_rate(value));
    case Type::kDuration:
      return error_of(argument, parse_duration(value));
    case Type::kCount:
      return error_of(argument, parse_count(value, 1, 100'000));
    case Type::kThrottle:
      return error_of(argument, parse_throttle(value));
    case Type::kChoice:
      return check_choice(argument, value);
    case Type::kTask:
      return check_task(value);
    case Type::kVm:
    case Type::kNode:
    case Type::kObject:
    case Type::kText:
    case Type::kFlag:
      return std::nullopt;
  }
  return std::nullopt;
}

// ---- The line -----------------------------------------------------------------------------------

// The longest verb the words begin with.
const ActionVerb* verb_of(const std::vector<std::string>& words) {
  if (words.size() >= 2) {
    if (const ActionVerb* verb = find_verb(words[0] + " " + words[1])) return verb;
  }
  return words.empty() ? nullptr : find_verb(words[0]);
}

Error unknown_verb(const std::vector<std::string>& words) {
  if (words.empty())
    return refused("An action is missing.", "Write it like: migrate web --to node-2");
  std::vector<std::string_view> known;
  for (const ActionVerb& verb : kVerbs) known.push_back(verb.path);
  const std::string typed = words.size() > 1 ? words[0] + " " + words[1] : words[0];
  std::string next = did_you_mean(typed, known, "");
  if (next.empty())
    next = did_you_mean(words[0], known, "The actions are: " + list_of(known) + ".");
  return refused("\"" + shortened(typed) + "\" is no action of an operator.", next);
}

const ActionArgument* find_option(const ActionVerb& verb, std::string_view name) {
  for (const ActionArgument& option : verb.options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

Error unknown_option(const ActionVerb& verb, const std::string& typed) {
  if (typed == "--wait" || typed == "--no-wait") {
    return refused("A scenario never waits for a task, so " + typed + " is not needed.",
                   "Expect what has to come of it, for example: task(last).result == Success");
  }
  std::vector<std::string_view> known;
  for (const ActionArgument& option : verb.options) known.push_back(option.name);
  const std::string list =
      known.empty() ? "It has no options." : "Its options are: " + list_of(known) + ".";
  return refused("`" + std::string(verb.path) + "` has no option \"" + shortened(typed) + "\".",
                 did_you_mean(typed, known, list));
}

// Reads the words of a line one after another; `at` follows.
class Line {
 public:
  Line(const std::vector<std::string>& words, std::vector<std::size_t> offsets, std::size_t* at)
      : words_(words), offsets_(std::move(offsets)), at_(at) {}

  Result<Action> read(const ActionVerb& verb);

 private:
  std::optional<Error> take(const ActionVerb& verb, Action& action);
  std::optional<Error> take_option(const ActionVerb& verb, Action& action);
  void note() {
    if (at_ != nullptr && next_ < offsets_.size()) *at_ = offsets_[next_];
  }

  const std::vector<std::string>& words_;
  const std::vector<std::size_t> offsets_;
  std::size_t* at_;
  std::size_t next_ = 0;
};

std::optional<Error> Line::take_option(const ActionVerb& verb, Action& action) {
  std::string name = words_[next_];
  std::optional<std::string> value;
  if (const std::size_t equals = name.find('='); equals != std::string::npos) {
    value = name.substr(equals + 1);
    name = name.substr(0, equals);
  }
  const ActionArgument* option = find_option(verb, name);
  if (option == nullptr) return unknown_option(verb, name);
  if (action.has(name)) return refused(name + " is given twice.", "Give it once.");
  if (option->type == Type::kFlag) {
    if (value) return refused(name + " takes no value.", "Leave out what follows it.");
    action.options[name] = "";
    ++next_;
    return std::nullopt;
  }
  if (!value) {
    if (next_ + 1 == words_.size()) return refused(name + " needs a value.", "Add it.");
    value = words_[++next_];
    note();
  }
  if (auto error = check(*option, *value)) return error;
  action.options[name] = *value;
  ++next_;
  return std::nullopt;
}

std::optional<Error> Line::take(const ActionVerb& verb, Action& action) {
  note();
  const std::string& word = words_[next_];
  if (word.starts_with("--")) return take_option(verb, action);
  if (action.words.size() == verb.words.size()) {
    return refused("`" + std::string(verb.path) + "` has no place for \"" + shortened(word) + "\".",
                   "Leave it out.");
  }
  if (auto error = check(verb.words[action.words.size()], word)) return error;
  action.words.push_back(word);
  ++next_;
  return std::nullopt;
}

Result<Action> Line::read(const ActionVerb& verb) {
  Action action;
  action.verb = verb.path;
  next_ = static_cast<std::size_t>(std::count(verb.path.begin(), verb.path.end(), ' ')) + 1;
  while (next_ < words_.size()) {
    if (auto error = take(verb, action)) return *error;
  }
  if (at_ != nullptr) *at_ = 0;
  if (action.words.size() < verb.words.size()) {
    const std::string_view missing = verb.words[action.words.size()].name;
    return refused("`" + action.verb + "` needs " + std::string(missing) + ".", "Add it.");
  }
  for (const ActionArgument& option : verb.options) {
    if (option.is_required && !action.has(std::string(option.name))) {
      return refused("`" + action.verb + "` needs " + std::string(option.name) + ".", "Add it.");
    }
  }
  return action;
}

}  // namespace

std::string Action::option(const std::string& name) const {
  const auto typed = options.find(name);
  if (typed != options.end()) return typed->second;
  const ActionVerb* declared = find_verb(verb);
  assert(declared != nullptr);
  const ActionArgument* argument = find_option(*declared, name);
  assert(argument != nullptr);
  return std::string(argument->fallback);
}

std::span<const ActionVerb> action_verbs() {
  return kVerbs;
}

const ActionVerb* find_verb(std::string_view path) {
  const auto found = std::find_if(kVerbs.begin(), kVerbs.end(),
                                  [path](const ActionVerb& verb) { return verb.path == path; });
  return found == kVerbs.end() ? nullptr : &*found;
}

Result<Action> parse_action(std::string_view text, std::size_t* at) {
  if (at != nullptr) *at = 0;
  std::vector<std::size_t> offsets;
  const auto words = split_words(text, &offsets);
  if (!words) return words.error();
  const ActionVerb* verb = verb_of(words.value());
  if (verb == nullptr) return unknown_verb(words.value());
  return Line(words.value(), std::move(offsets), at).read(*verb);
}

std::string to_text(const Action& action) {
  std::string text = action.verb;
  for (const std::string& word : action.words) text += " " + quoted_word(word);
  for (const auto& [name, value] : action.options) {
    text += " " + name;
    const ActionVerb* verb = find_verb(action.verb);
    const ActionArgument* option = verb == nullptr ? nullptr : find_option(*verb, name);
    if (option == nullptr || option->type != Type::kFlag) text += " " + quoted_word(value);
  }
  return text;
}

}  // namespace failsim::scenario
