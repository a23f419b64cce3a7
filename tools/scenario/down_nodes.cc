#include "tools/scenario/down_nodes.h"

#include <algorithm>
#include <map>
#include <string>

namespace failsim::scenario {
namespace {

constexpr Duration kLongestAnswer = 30 * kSecond;  // of an action

// How long a step may take at most, its trigger included.
Duration longest(const Step& step) {
  Duration time = step.when ? step.when_within : 0;
  if (std::holds_alternative<Do>(step.effect)) time += kLongestAnswer;
  if (const auto* expect = std::get_if<Expect>(&step.effect)) time += expect->within;
  if (const auto* hold = std::get_if<Hold>(&step.effect)) time += hold->throughout;
  if (const auto* pause = std::get_if<Pause>(&step.effect)) time += pause->duration;
  return time;
}

// The fault leaves no process there.
bool ends_process(const fault::Kind& kind) {
  return kind.name == "kill" || kind.name == "power-off" || kind.name == "terminate" ||
         kind.name == "disk-tear" || kind.name == "disk-flip" || kind.name == "disk-swap";
}

bool is_of_processes(const fault::Kind& kind) {
  return kind.place == fault::Place::kNode && kind.group != "network";
}

const std::vector<std::string>* named_nodes(const fault::Order& order) {
  const bool is_named = !order.on.is_link && order.on.from.role == fault::Members::Role::kNames;
  return is_named ? &order.on.from.names : nullptr;
}

class Follower {
 public:
  explicit Follower(const Scenario& scenario) : scenario_(scenario) {}
  std::vector<Problem> run();

 private:
  struct Down {
    std::string label;         // of the fault
    Duration certain_for = 0;  // what is left of its lease at least; kNever: until it is started
  };

  void perform(const Step& step);
  void perform(const Do& done, const Position& position);
  void perform(const Inject& inject, const Position& position);
  void pass(Duration at_most);
  void refuse(const Position& position, const std::string& what, const std::string& node) {
    problems_.push_back({position, what + " on " + node + " has nothing to hit: the node is down.",
                         "Start it before, or choose another node."});
  }
  bool reactions_may_start_nodes() const;

  const Scenario& scenario_;
  std::map<std::string, Down> down_;
  std::vector<Problem> problems_;
};

void Follower::pass(Duration at_most) {
  for (auto& [node, down] : down_) {
    if (down.certain_for != kNever) down.certain_for -= at_most;
  }
  std::erase_if(down_, [](const auto& entry) { return entry.second.certain_for <= 0; });
}

void Follower::perform(const Do& done, const Position& position) {
  const std::string& verb = done.action.verb;
  if (!verb.starts_with("node ") || done.action.words.empty()) return;
  const std::string& node = done.action.words[0];
  if (verb == "node start") {
    down_.erase(node);
    return;
  }
  const bool is_wanted = done.answer == Do::Answer::kAccepted;
  if (is_wanted && down_.contains(node)) refuse(position, verb, node);
  if (done.answer != Do::Answer::kRefused) down_[node] = {"", kNever};
}

void Follower::perform(const Inject& inject, const Position& position) {
  const std::vector<std::string>* nodes = named_nodes(inject.order);
  if (nodes == nullptr || !is_of_processes(*inject.order.kind)) return;
  for (const std::string& node : *nodes) {
    if (down_.contains(node)) refuse(position, std::string(inject.order.kind->name), node);
    if (ends_process(*inject.order.kind)) down_[node] = {inject.label, inject.order.lease};
  }
}

void Follower::perform(const Step& step) {
  if (step.at) pass(kNever / 2);  // who knows how long that is
  pass(step.when ? step.when_within : 0);
  if (const auto* done = std::get_if<Do>(&step.effect)) perform(*done, step.position);
  if (const auto* inject = std::get_if<Inject>(&step.effect)) perform(*inject, step.position);
  if (const auto* heal = std::get_if<Heal>(&step.effect)) {
    std::erase_if(down_, [heal](const auto& entry) {
      return entry.second.certain_for != kNever &&
             (heal->label.empty() || heal->label == entry.second.label);
    });
  }
  pass(longest(step) - (step.when ? step.when_within : 0));
}

bool Follower::reactions_may_start_nodes() const {
  return std::any_of(scenario_.reactions.begin(), scenario_.reactions.end(),
                     [](const Reaction& reaction) {
                       const auto* done = std::get_if<Do>(&reaction.effect);
                       return std::holds_alternative<Heal>(reaction.effect) ||
                              (done != nullptr && done->action.verb == "node start");
                     });
}

std::vector<Problem> Follower::run() {
  if (reactions_may_start_nodes()) return {};
  for (const Step& step : scenario_.steps) perform(step);
  return std::move(problems_);
}

}  // namespace

std::vector<Problem> faults_on_down_nodes(const Scenario& scenario) {
  return Follower(scenario).run();
}

}  // namespace failsim::scenario
