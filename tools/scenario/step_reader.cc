#include "tools/scenario/step_reader.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "cluster/units.h"
#include "tools/scenario/words.h"

namespace failsim::scenario {
namespace {

Error refused(std::string text, std::string next) {
  return {Code::kInvalidParameter, std::move(text), std::move(next)};
}

Result<Duration> duration(const std::string& text) {
  return parse_duration(text);
}

class StepReader {
 public:
  explicit StepReader(Problems& problems) : problems_(problems) {}

  // Nothing if it could not be read.
  std::optional<Step> step(const YAML::Node& node);
  std::optional<Reaction> reaction(const YAML::Node& node);

 private:
  std::optional<Condition> condition(Mapping& from, const std::string& key);
  std::optional<Effect> effect(Mapping& step, Position& position);
  std::optional<Effect> action(Mapping& step);
  std::optional<Effect> injection(Mapping& step);
  std::optional<Effect> expectation(Mapping& step);
  std::optional<Effect> hold(Mapping& step);
  void only_beside(Mapping& step, const std::string& key, const std::string& beside);

  Problems& problems_;
};

const std::vector<std::string_view> kEffects = {"do", "fault", "heal", "expect", "hold", "pause"};

std::optional<Condition> StepReader::condition(Mapping& from, const std::string& key) {
  const std::optional<std::string> text = from.text(key);
  if (!text) return std::nullopt;
  std::size_t at = 0;
  Result<Condition> parsed = parse_condition(*text, &at);
  if (parsed) return parsed.take();
  problems_.add(from.take(key), parsed.error(), at);
  return std::nullopt;
}

std::optional<Effect> StepReader::action(Mapping& step) {
  const std::optional<std::string> text = step.text("do");
  if (!text) return std::nullopt;
  std::size_t at = 0;
  Result<Action> parsed = parse_action(*text, &at);
  if (!parsed) {
    problems_.add(step.take("do"), parsed.error(), at);
    return std::nullopt;
  }
  Do done{parsed.take(), Do::Answer::kAccepted, ""};
  if (step.has("refused") && step.has("answer")) {
    problems_.add(step.position(), "An action is either refused or answered in any way.",
                  "Keep one of refused and answer.");
  }
  if (const auto code = step.text("refused")) {
    done.answer = Do::Answer::kRefused;
    const std::vector<std::string_view> known = code_names();
    if (*code != "any") done.code = *code;
    if (*code != "any" && std::find(known.begin(), known.end(), *code) == known.end()) {
      problems_.add(step.take("refused"),
                    refused("There is no error \"" + shortened(*code) + "\".",
                            did_you_mean(*code, known, "Give the name of an error, or any.")));
    }
  }
  if (const auto answer = step.text("answer")) {
    done.answer = Do::Answer::kAny;
    if (*answer != "any") {
      problems_.add(step.take("answer"),
                    refused("An answer cannot be \"" + shortened(*answer) + "\".",
                            "Write answer: any, refused: CODE, or leave it out."));
    }
  }
  return done;
}

std::optional<Effect> StepReader::injection(Mapping& step) {
  const std::optional<std::string> text = step.text("fault");
  if (!text) return std::nullopt;
  Result<fault::Order> parsed = fault::parse_order(*text);
  if (!parsed) {
    problems_.add(step.take("fault"), parsed.error());
    return std::nullopt;
  }
  return Inject{parsed.take(), step.text("label").value_or("")};
}

std::optional<Effect> StepReader::expectation(Mapping& step) {
  std::optional<Condition> asked = condition(step, "expect");
  if (!asked) return std::nullopt;
  Expect expect{std::move(*asked), 0};
  step.read<Duration>("within", duration, [&](Duration within) { expect.within = within; });
  return expect;
}

std::optional<Effect> StepReader::hold(Mapping& step) {
  std::optional<Condition> asked = condition(step, "hold");
  if (!asked) return std::nullopt;
  Hold hold{std::move(*asked), 0};
  step.read<Duration>("for", duration, [&](Duration time) { hold.throughout = time; });
  if (!step.has("for")) {
    problems_.add(step.position(), "A hold needs its time.", "Add for: 5s, say.");
  }
  return hold;
}

void StepReader::only_beside(Mapping& step, const std::string& key, const std::string& beside) {
  if (!step.has(key) || step.has(beside)) return;
  problems_.add(position_of(step.take(key)), "\"" + key + "\" belongs to \"" + beside + "\".",
                "Leave it out here.");
}

std::optional<Effect> StepReader::effect(Mapping& step, Position& position) {
  std::string chosen;
  for (const std::string_view name : kEffects) {
    const std::string key(name);
    if (!step.has(key)) continue;
    if (!chosen.empty()) {
      problems_.add(position_of(step.take(key)),
                    "A step does one thing, and this one has \"" + chosen + "\" already.",
                    "Make \"" + key + "\" a step of its own.");
      return std::nullopt;
    }
    chosen = key;
  }
  if (chosen.empty()) {
    problems_.add(step.position(), "A step does nothing.",
                  "Add one of: " + list_of(kEffects) + ".");
    return std::nullopt;
  }
  position = position_of(step.take(chosen));
  only_beside(step, "refused", "do");
  only_beside(step, "answer", "do");
  only_beside(step, "label", "fault");
  only_beside(step, "within", "expect");
  only_beside(step, "for", "hold");
  if (chosen == "do") return action(step);
  if (chosen == "fault") return injection(step);
  if (chosen == "expect") return expectation(step);
  if (chosen == "hold") return hold(step);
  if (chosen == "heal") {
    const std::optional<std::string> label = step.text("heal");
    if (!label) return std::nullopt;
    return Heal{*label == "all" ? "" : *label};
  }
  std::optional<Effect> pause;
  step.read<Duration>("pause", duration, [&](Duration time) { pause = Pause{time}; });
  return pause;
}

std::optional<Step> StepReader::step(const YAML::Node& node) {
  Mapping mapping(node, "A step", problems_);
  if (!mapping.is_valid()) return std::nullopt;
  Step read;
  mapping.read<Duration>("at", duration, [&](Duration at) { read.at = at; });
  if (mapping.has("when")) read.when = condition(mapping, "when");
  mapping.read<Duration>("when-within", duration, [&](Duration time) { read.when_within = time; });
  only_beside(mapping, "when-within", "when");
  std::optional<Effect> what = effect(mapping, read.position);
  mapping.finish({"at", "when", "when-within", "do", "refused", "answer", "fault", "label", "heal",
                  "expect", "within", "hold", "for", "pause"});
  if (!what) return std::nullopt;
  read.effect = std::move(*what);
  return read;
}

std::optional<Reaction> StepReader::reaction(const YAML::Node& node) {
  Mapping mapping(node, "A reaction", problems_);
  if (!mapping.is_valid()) return std::nullopt;
  Reaction read;
  std::optional<Condition> when = condition(mapping, "when");
  if (!mapping.has("when")) {
    problems_.add(mapping.position(), "A reaction needs its condition.", "Add when: ...");
  }
  mapping.read<Duration>("after", duration, [&](Duration delay) { read.delay = delay; });
  const auto times = [](const std::string& text) { return parse_count(text, 1, 1000); };
  mapping.read<std::uint64_t>(
      "times", times, [&](std::uint64_t most) { read.times = static_cast<std::uint32_t>(most); });
  std::optional<Effect> what = effect(mapping, read.position);
  mapping.finish({"when", "after", "times", "do", "refused", "answer", "fault", "label", "heal"});
  if (!when || !what) return std::nullopt;
  read.when = std::move(*when);
  read.effect = std::move(*what);
  return read;
}

// Each item of a list; `what` names the list.
template <typename T, typename ReadOne>
std::vector<T> read_list(const YAML::Node& node, const std::string& what, Problems& problems,
                         const ReadOne& read_one) {
  std::vector<T> items;
  if (!node.IsDefined()) return items;
  if (!node.IsSequence()) {
    problems.add(position_of(node), what + " have to be a list.", "Begin each with a dash.");
    return items;
  }
  for (const YAML::Node& item : node) {
    std::optional<T> read = read_one(item);
    if (read) items.push_back(std::move(*read));
  }
  return items;
}

}  // namespace

std::vector<Step> read_steps(const YAML::Node& node, Problems& problems) {
  StepReader reader(problems);
  return read_list<Step>(node, "The steps", problems,
                         [&](const YAML::Node& item) { return reader.step(item); });
}

std::vector<Reaction> read_reactions(const YAML::Node& node, Problems& problems) {
  StepReader reader(problems);
  return read_list<Reaction>(node, "The reactions", problems,
                             [&](const YAML::Node& item) { return reader.reaction(item); });
}

}  // namespace failsim::scenario
