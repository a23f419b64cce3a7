#include "tools/scenario/lint.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "cluster/mistakes.h"
#include "cluster/state/object_name.h"
#include "cluster/units.h"
#include "tools/report/wording.h"
#include "tools/scenario/contradictions.h"
#include "tools/scenario/down_nodes.h"
#include "tools/scenario/field.h"
#include "tools/scenario/requests.h"
#include "tools/scenario/words.h"

namespace failsim::scenario {
namespace {

class Linter {
 public:
  explicit Linter(const Scenario& scenario);
  std::vector<Problem> run();

 private:
  void check_topology();
  void check_plant();
  void check_vm(const Vm& vm);
  void check_left_broken();
  void check_order_of_times();
  void check_step(const Step& step);
  void check_effect(const Effect& effect, const Position& position);
  void check_has_effect(const Action& action, const Position& position);
  void check_action(const Do& done, const Position& position);
  void check_request(const Action& action, const Position& position);
  void check_argument(ArgumentType type, const std::string& value, const Position& position);
  void check_fault(const fault::Order& order, const Position& position);
  void check_members(const fault::Kind& kind, const fault::Members& members,
                     const Position& position);
  void check_condition(const Condition& condition, const Position& position);
  void check_object(const Comparison& comparison, const Position& position);
  bool check_node(const std::string& name, const Position& position);
  bool check_vm_name(const std::string& name, const Position& position);
  void add(const Position& position, std::string text, std::string next) {
    problems_.push_back({position, std::move(text), std::move(next)});
  }

  const Scenario& scenario_;
  std::set<std::string> vms_;     // that exist, or that some action creates
  std::set<std::string> labels_;  // of faults
  std::vector<Problem> problems_;
};

void note_names(const Effect& effect, std::set<std::string>& vms, std::set<std::string>& labels) {
  const auto* done = std::get_if<Do>(&effect);
  if (done != nullptr && done->action.verb == "vm create") vms.insert(done->action.words[0]);
  const auto* inject = std::get_if<Inject>(&effect);
  if (inject != nullptr && !inject->label.empty()) labels.insert(inject->label);
}

Linter::Linter(const Scenario& scenario) : scenario_(scenario) {
  for (const Vm& vm : scenario.vms) vms_.insert(vm.name);
  for (const Step& step : scenario.steps) note_names(step.effect, vms_, labels_);
  for (const Reaction& reaction : scenario.reactions) note_names(reaction.effect, vms_, labels_);
}

// ---- Names --------------------------------------------------------------------------------------

bool Linter::check_node(const std::string& name, const Position& position) {
  const NodeId node = node_named(name);
  if (node != kNoNode && node <= scenario_.topology.nodes) return true;
  add(position, "There is no node \"" + shortened(name) + "\".",
      "The nodes are node-1 to node-" + std::to_string(scenario_.topology.nodes) + ".");
  return false;
}

bool Linter::check_vm_name(const std::string& name, const Position& position) {
  if (vms_.contains(name)) return true;
  const std::vector<std::string_view> known(vms_.begin(), vms_.end());
  add(position, "There is no VM \"" + shortened(name) + "\".",
      did_you_mean(name, known,
                   known.empty() ? "Add it to vms." : "The VMs are " + list_of(known) + "."));
  return false;
}

// ---- The cluster --------------------------------------------------------------------------------

void Linter::check_vm(const Vm& vm) {
  if (const auto error = vm_name_refused(vm.name)) add(vm.position, error->message, error->next);
  if (!vm.owner.empty()) check_node(vm.owner, vm.position);
  const std::uint64_t memory = scenario_.topology.node_memory_bytes;
  if (vm.config.memory_bytes() > memory) {
    add(vm.position,
        "VM \"" + vm.name + "\" needs " + show_size(vm.config.memory_bytes()) +
            " of memory and a node has " + show_size(memory) + ".",
        "Make it smaller, or raise node-memory.");
  }
}

void Linter::check_topology() {
  if (!scenario_.topology.leader.empty()) {
    check_node(scenario_.topology.leader, scenario_.topology.leader_position);
  }
  std::map<std::string, std::uint64_t> used;
  for (const Vm& vm : scenario_.vms) {
    check_vm(vm);
    if (!vm.start || vm.owner.empty()) continue;
    std::uint64_t& bytes = used[vm.owner];
    const bool fitted = bytes <= scenario_.topology.node_memory_bytes;
    bytes += vm.config.memory_bytes();
    if (fitted && bytes > scenario_.topology.node_memory_bytes &&
        vm.config.memory_bytes() <= scenario_.topology.node_memory_bytes) {
      add(vm.position, "The VMs of " + vm.owner + " need more memory than the node has.",
          "Place one elsewhere, or raise node-memory.");
    }
  }
}

#ifdef FAILSIM_PLANTED_MISTAKES

void Linter::check_plant() {
  if (scenario_.plant.empty() || mistake_named(scenario_.plant)) return;
  std::vector<std::string_view> known;
  for (const PlantedMistake& row : planted_mistakes()) known.push_back(row.name);
  add(scenario_.plant_position,
      "There is no mistake \"" + shortened(scenario_.plant) + "\" that could be planted.",
      did_you_mean(scenario_.plant, known, "The mistakes are " + list_of(known) + "."));
}

#else

void Linter::check_plant() {
  if (scenario_.plant.empty()) return;
  add(scenario_.plant_position,
      "This build cannot plant the mistake \"" + shortened(scenario_.plant) + "\".",
      "Use a build of the preset planted, or leave plant out.");
}

#endif

void Linter::check_left_broken() {
  for (const std::string& node : scenario_.left_broken)
    check_node(node, scenario_.left_broken_position);
  if (scenario_.left_broken.size() * 2 < scenario_.topology.nodes) return;
  if (scenario_.left_broken.empty() || scenario_.recovery == 0) return;
  add(scenario_.left_broken_position,
      "With so many nodes left broken there is no quorum that could recover.",
      "Leave fewer broken, or write recovery: 0s.");
}

// ---- Steps --------------------------------------------------------------------------------------

void Linter::check_order_of_times() {
  std::optional<Time> before;
  for (const Step& step : scenario_.steps) {
    if (!step.at) continue;
    if (before && *step.at < *before) {
      add(step.position,
          "The step is to begin at " +
              show_duration_ms(static_cast<std::uint64_t>(*step.at / kMillisecond)) +
              ", before the step above it.",
          "Steps are performed one after another: order them by time.");
    }
    before = step.at;
  }
}

void Linter::check_step(const Step& step) {
  if (step.when) check_condition(*step.when, step.position);
  check_effect(step.effect, step.position);
}

void Linter::check_effect(const Effect& effect, const Position& position) {
  if (const auto* done = std::get_if<Do>(&effect)) check_action(*done, position);
  if (const auto* inject = std::get_if<Inject>(&effect)) check_fault(inject->order, position);
  if (const auto* expect = std::get_if<Expect>(&effect)) {
    check_condition(expect->condition, position);
  }
  if (const auto* hold = std::get_if<Hold>(&effect)) check_condition(hold->condition, position);
  const auto* heal = std::get_if<Heal>(&effect);
  if (heal != nullptr && !heal->label.empty() && !labels_.contains(heal->label)) {
    const std::vector<std::string_view> known(labels_.begin(), labels_.end());
    add(position, "No fault has the label \"" + shortened(heal->label) + "\".",
        did_you_mean(heal->label, known,
                     "Give the fault label: " + heal->label + ", or heal all."));
  }
}

// ---- Actions ------------------------------------------------------------------------------------

void Linter::check_argument(ArgumentType type, const std::string& value, const Position& position) {
  if (type == ArgumentType::kNode) check_node(value, position);
  if (type == ArgumentType::kVm) check_vm_name(value, position);
  if (type == ArgumentType::kTask && value.starts_with("job(")) {
    check_vm_name(value.substr(4, value.size() - 5), position);
  }
}

// What only processes have is accepted where they may play.
void Linter::check_has_effect(const Action& action, const Position& position) {
  if (!scenario_.virtual_only) return;
  for (const char* option : {"--streams", "--compression"}) {
    if (!action.has(option)) continue;
    add(position,
        std::string("The virtual world has one connection for all pages and compresses none: ") +
            option + " does nothing there.",
        "Leave it out, or let processes play this too, without virtual-only.");
  }
}

// An action that has to be refused may name what does not exist.
void Linter::check_action(const Do& done, const Position& position) {
  check_has_effect(done.action, position);
  if (done.answer != Do::Answer::kAccepted && !done.action.verb.starts_with("node ")) return;
  const ActionVerb* verb = find_verb(done.action.verb);
  if (verb == nullptr) {
    return add(position, "\"" + shortened(done.action.verb) + "\" is no action.", "Correct it.");
  }
  for (std::size_t i = 0; i < done.action.words.size() && i < verb->words.size(); ++i) {
    check_argument(verb->words[i].type, done.action.words[i], position);
  }
  for (const ActionArgument& option : verb->options) {
    const std::string name(option.name);
    if (done.action.has(name)) check_argument(option.type, done.action.option(name), position);
  }
  if (!done.action.verb.starts_with("node ")) check_request(done.action, position);
}

// What no cluster accepts: a property that does not exist, a value out of its range, a state that a
// job cannot be asked for.
void Linter::check_request(const Action& action, const Position& position) {
  const bool is_told = !problems_.empty() && problems_.back().position.line == position.line;
  if (is_told) return;
  const auto request =
      request_of(action, scenario_.topology.nodes, [](const std::string&) { return TaskId{1}; });
  if (!request) add(position, request.error().message, request.error().next);
}

// ---- Faults -------------------------------------------------------------------------------------

void Linter::check_members(const fault::Kind& kind, const fault::Members& members,
                           const Position& position) {
  using Role = fault::Members::Role;
  const bool names_vms = members.role == Role::kOwner || members.role == Role::kSource ||
                         members.role == Role::kTarget ||
                         (members.role == Role::kNames && kind.place == fault::Place::kGuest);
  const bool is_on_nodes = kind.place == fault::Place::kNode || kind.place == fault::Place::kLink;
  const bool names_nodes = members.role == Role::kNames && is_on_nodes;
  for (const std::string& name : members.names) {
    if (names_vms) check_vm_name(name, position);
    if (names_nodes) check_node(name, position);
  }
  const std::uint32_t nodes = scenario_.topology.nodes;
  const bool hits_nobody = (members.role == Role::kMinority && nodes < 3) ||
                           (members.role == Role::kMinorityThird && nodes < 4);
  if (hits_nobody) {
    add(position,
        "Of " + history::counted(nodes, "node") + " that is none, so the fault hits nothing.",
        "Choose another selector, or more nodes.");
  }
}

void Linter::check_fault(const fault::Order& order, const Position& position) {
  const fault::Kind& kind = *order.kind;
  check_members(kind, order.on.from, position);
  if (order.on.is_link) check_members(kind, order.on.to, position);
  const bool ends_at_itself = order.on.is_link && order.on.from == order.on.to &&
                              order.on.from.role == fault::Members::Role::kNames &&
                              order.on.from.names.size() == 1;
  if (ends_at_itself) {
    add(position, "A node has no link to itself, so the fault hits nothing.",
        "Name two nodes: node-1->node-2.");
  }
  if (!kind.in_virtual.is_performed) {
    add(position,
        "The virtual world does not perform " + std::string(kind.name) + ": " +
            std::string(kind.in_virtual.reason) + ".",
        "Choose another fault.");
  }
  if (!kind.in_processes.is_performed && !scenario_.virtual_only) {
    add(position,
        "Only the virtual world performs " + std::string(kind.name) + ": on processes " +
            std::string(kind.in_processes.reason) + ".",
        "Choose another fault, or write virtual-only: true and the reason in the README.");
  }
}

// ---- Conditions ---------------------------------------------------------------------------------

void Linter::check_object(const Comparison& comparison, const Position& position) {
  const std::string& subject = comparison.subject;
  const std::string& object = comparison.object;
  if (subject == "vm" || subject == "migration") check_vm_name(object, position);
  if (subject == "node") check_node(object, position);
  if (subject == "fault" && !labels_.contains(object)) {
    const std::vector<std::string_view> known(labels_.begin(), labels_.end());
    add(position, "No fault has the label \"" + shortened(object) + "\".",
        did_you_mean(object, known, "Give a fault this label."));
  }
  if (subject == "task" && object != "last" && !parse_count(object, 1, ~std::uint64_t{0})) {
    add(position, "A task is a number or \"last\", not \"" + shortened(object) + "\".",
        "Write task(last).");
  }
  if (subject == "property" && object.find('/') == std::string::npos) {
    add(position, "A property is named with its object.", "Write property(web/StartMemory), say.");
  }
}

void Linter::check_condition(const Condition& condition, const Position& position) {
  for (const Comparison* comparison : comparisons_of(condition)) {
    check_object(*comparison, position);
    const Field* field = find_field(comparison->subject, comparison->field);
    if (field == nullptr) {
      add(position, "\"" + comparison->subject + "\" has no field \"" + comparison->field + "\".",
          "Correct it.");
      continue;
    }
    if (field->is_virtual_only && !scenario_.virtual_only) {
      add(position,
          "Only the virtual world shows " + comparison->subject + "." + comparison->field + ".",
          "Ask for something else, or write virtual-only: true and the reason in the README.");
    }
    if (field->type != FieldType::kNode) continue;
    for (const std::string& value : comparison->values) {
      if (value != "none") check_node(value, position);
    }
  }
  if (!is_possible(condition)) {
    add(position, "The condition " + to_text(condition) + " contradicts itself.",
        "A field has one value at a time; use or, or in [...].");
  }
}

std::vector<Problem> Linter::run() {
  check_topology();
  check_plant();
  for (const Step& step : scenario_.steps) check_step(step);
  for (const Reaction& reaction : scenario_.reactions) {
    check_condition(reaction.when, reaction.position);
    check_effect(reaction.effect, reaction.position);
  }
  check_order_of_times();
  for (Problem& problem : contradictions(scenario_)) problems_.push_back(std::move(problem));
  check_left_broken();
  for (Problem& problem : faults_on_down_nodes(scenario_)) problems_.push_back(std::move(problem));
  std::stable_sort(problems_.begin(), problems_.end(),
                   [](const Problem& one, const Problem& other) {
                     return std::pair(one.position.line, one.position.column) <
                            std::pair(other.position.line, other.position.column);
                   });
  return std::move(problems_);
}

}  // namespace

std::vector<Problem> lint(const Scenario& scenario) {
  return Linter(scenario).run();
}

}  // namespace failsim::scenario
