#include "tools/scenario/session.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "cluster/state/apply.h"
#include "cluster/vm/task_result.h"
#include "cluster/vm/vm_state.h"
#include "tools/scenario/request_text.h"

namespace failsim::scenario {
namespace {

constexpr Duration kTriggerMin = 30 * kSecond;
constexpr Duration kOutcomeWithin = 60 * kSecond;
// A launcher tells of a fault and of a death at about the same time.
constexpr std::int64_t kTellsWithin = 2 * kSecond;
// A node that a fault has ended is back some time after it.
constexpr std::int64_t kReturnsWithin = 15 * kSecond;

// What a trigger may ask for, "node(node-2).state" -> "Down".
using Sight = std::map<std::string, std::string>;

bool is_settled_state(const std::string& name) {
  static const std::set<std::string> kSettled = {"Running", "Paused", "Saved", "TurnedOff"};
  return kSettled.contains(name);
}

std::string without_spaces(std::string_view text) {
  std::string word(text);
  std::erase(word, ' ');
  return word;
}

std::string node_state_name(pb::NodeState state) {
  return state == pb::NODE_UP ? "Up" : state == pb::NODE_DOWN ? "Down" : "";
}

Sight sight_of(const ClusterState& state) {
  Sight sight;
  for (const auto& [id, node] : state.nodes()) {
    sight["node(" + node->name() + ").state"] = node_state_name(node->state());
  }
  for (const auto& [name, vm] : state.vms()) {
    const auto at = vm_state_of(vm->state());
    sight["vm(" + name + ").state"] = at ? without_spaces(failsim::name(*at)) : "";
    sight["vm(" + name + ").owner"] = node_name(vm->owner());
    const pb::Task* job = state.job_of(*vm);
    const auto phase = job == nullptr ? std::nullopt : migration_state_of(job->job().phase());
    sight["migration(" + name + ").state"] = phase && *phase != MigrationState::kNoMigration
                                                 ? without_spaces(failsim::name(*phase))
                                                 : "";
  }
  return sight;
}

// A fault as its notes tell of it.
struct Told {
  fault::Order order;
  std::int64_t begins = 0;
  std::int64_t ends = std::numeric_limits<std::int64_t>::max() / 2;
  bool is_healed = false;  // rather than over
};

bool names(const fault::Order& order, const std::string& node) {
  const auto has = [&](const fault::Members& members) {
    return members.role == fault::Members::Role::kAll ||
           std::find(members.names.begin(), members.names.end(), node) != members.names.end();
  };
  return has(order.on.from) || (order.on.is_link && has(order.on.to));
}

class Recorder {
 public:
  Recorder(const Session& session, std::int64_t since)
      : session_(session), since_(since), state_(ClusterState::born(session.bootstrap)) {}

  Result<RecordedSession> record();

 private:
  Result<std::vector<pb::Command>> read_commands();
  void read_faults(const std::vector<pb::Command>& commands);
  void begin(const pb::Command& first);
  void add_settings();
  void add_vms();

  void take(const pb::Command& command, Index index);
  void take_request(const pb::Command& command, Index index);
  void take_note(const pb::Request::NoteFault& note);
  void take_down(const pb::Command::NodeDown& down);
  void take_joined(const pb::Command::NodeJoined& joined);
  bool is_explained(NodeId node) const;
  // The step begins where the cluster is now.
  void add_step(Effect effect);
  std::optional<Condition> trigger(const Effect& effect, bool& is_in_migration) const;
  void end();

  bool is_on() const { return begins_.has_value(); }
  std::string task_word(TaskId task) const;
  std::string label(std::uint64_t fault) const { return "fault-" + std::to_string(fault); }
  void remark(std::string text) { recorded_.remarks.push_back(std::move(text)); }

  const Session& session_;
  const std::int64_t since_;
  ClusterState state_;
  RecordedSession recorded_;
  std::optional<std::int64_t> begins_;  // wall time of the first step
  std::int64_t now_ = 0;                // wall time of the command at hand
  std::int64_t before_ = 0;             // of the step before
  Sight seen_;                          // when the step before was taken
  std::map<std::uint64_t, Told> faults_;
  std::set<std::uint64_t> injected_;
  std::set<NodeId> joined_;                // once, or more often
  std::set<NodeId> down_;                  // by an operator
  std::map<TaskId, std::uint64_t> tasks_;  // as the scenario counts them
  std::set<TaskId> ended_;                 // that a trigger has asked for
};

// ---- Reading ------------------------------------------------------------------------------------

Result<std::vector<pb::Command>> Recorder::read_commands() {
  std::vector<pb::Command> commands;
  Index expected = 1;
  for (const EntryPtr& entry : session_.entries) {
    pb::Command command;
    if (entry->index() != expected++ || !command.ParseFromString(entry->command())) {
      return Error{Code::kInvalidData, "The log does not go back to its first entry.",
                   "A session can be recorded until its cluster has compacted its log."};
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

void Recorder::read_faults(const std::vector<pb::Command>& commands) {
  for (const pb::Command& command : commands) {
    if (!command.request().has_note_fault()) continue;
    const pb::Request::NoteFault& note = command.request().note_fault();
    const std::int64_t at = command.wall_time_ns();
    if (note.what() == pb::Request::NoteFault::INJECTED) {
      const auto order = fault::parse_order(note.order());
      if (order) faults_.try_emplace(note.fault(), Told{order.value(), at});
      continue;
    }
    const auto found = faults_.find(note.fault());
    if (found == faults_.end()) continue;
    found->second.ends = at;
    found->second.is_healed = note.what() == pb::Request::NoteFault::HEALED;
  }
}

Result<RecordedSession> Recorder::record() {
  const auto commands = read_commands();
  if (!commands) return commands.error();
  read_faults(commands.value());
  Index index = 0;
  for (const pb::Command& command : commands.value()) {
    ++index;
    if (command.body_case() == pb::Command::BODY_NOT_SET) continue;  // the no-op of a new term
    now_ = command.wall_time_ns();
    take(command, index);
  }
  if (!is_on() || recorded_.scenario.steps.empty()) {
    return Error{Code::kNotFound, "Nothing was done to the cluster in that time.",
                 "Record from an earlier time, or do something first."};
  }
  end();
  return std::move(recorded_);
}

// ---- The cluster as it was in the beginning -----------------------------------------------------

void Recorder::add_settings() {
  std::set<std::string> set = {"SameSubnetDelay", "SameSubnetThreshold"};
  for (const pb::Bootstrap::Property& property : session_.bootstrap.properties()) {
    set.insert(property.name());
  }
  for (const std::string& name : set) {
    const PropertySpec* spec = find(ObjectKind::kCluster, name);
    if (spec == nullptr) continue;
    const std::string value = to_text(state_.property(ObjectKind::kCluster, "", spec->name));
    const auto usual = kSettings.find(name);
    if (usual != kSettings.end() && usual->second == value) continue;
    recorded_.scenario.topology.settings[name] = value;
  }
}

void Recorder::add_vms() {
  for (const auto& [name, row] : state_.vms()) {
    Vm vm;
    vm.name = name;
    vm.owner = node_name(row->owner());
    vm.config = row->config();
    vm.start = row->want() == pb::GUEST_RUNNING;
    const auto at = vm_state_of(row->state());
    const bool is_kept = at == VmState::kRunning || at == VmState::kTurnedOff;
    if (!is_kept) {
      remark("VM " + name + " was " + std::string(at ? failsim::name(*at) : "in no known state") +
             " when the recording begins; in the scenario it is " +
             (vm.start ? "Running." : "TurnedOff."));
    }
    recorded_.scenario.vms.push_back(std::move(vm));
  }
}

void Recorder::begin(const pb::Command& first) {
  begins_ = before_ = now_;
  Topology& topology = recorded_.scenario.topology;
  topology.nodes = static_cast<std::uint32_t>(state_.nodes().size());
  topology.node_memory_bytes = session_.bootstrap.nodes(0).memory_bytes();
  topology.leader = node_name(first.proposer());
  add_settings();
  add_vms();
  seen_ = sight_of(state_);
  for (const auto& [id, node] : state_.nodes()) {
    if (node->state() == pb::NODE_UP) continue;
    remark(node->name() + " was not Up when the recording begins; in the scenario it is.");
  }
}

// ---- One command after another ------------------------------------------------------------------

void Recorder::take(const pb::Command& command, Index index) {
  const bool is_ours = now_ >= since_ && joined_.size() == state_.nodes().size();
  const bool may_begin = command.has_request() || command.has_node_down();
  if (!is_on() && is_ours && may_begin) begin(command);
  if (command.has_request()) return take_request(command, index);
  if (command.has_node_down()) take_down(command.node_down());
  if (command.has_node_joined()) take_joined(command.node_joined());
  apply(state_, command, index);
}

void Recorder::take_request(const pb::Command& command, Index index) {
  const pb::Request& request = command.request();
  const bool is_repeated = state_.reply(request.client(), request.sequence()) != nullptr;
  const ClusterState before = state_;
  const Applied applied = apply(state_, command, index);
  if (!is_on() || is_repeated) return;
  if (request.has_note_fault()) return take_note(request.note_fault());
  const auto action = action_of(request, [this](TaskId task) { return task_word(task); });
  if (!action || !applied.reply) {
    return remark("A request that no command line makes is left out.");
  }
  Do done{*action, Do::Answer::kAccepted, ""};
  const auto code = static_cast<Code>(applied.reply->code());
  if (code != Code::kOk) {
    done.answer = Do::Answer::kRefused;
    done.code = code_name(code);
  }
  const ClusterState after = std::exchange(state_, before);
  add_step(std::move(done));
  state_ = after;
  for (const auto& [id, task] : state_.tasks()) {
    if (before.task(id) != nullptr) continue;
    tasks_[id] = recorded_.scenario.vms.size() + tasks_.size() + 1;
  }
}

void Recorder::take_note(const pb::Request::NoteFault& note) {
  const auto found = faults_.find(note.fault());
  if (found == faults_.end()) {
    return remark("The fault \"" + note.order() + "\" is not one that this failsim knows.");
  }
  const Told& told = found->second;
  if (note.what() == pb::Request::NoteFault::INJECTED) {
    if (!injected_.insert(note.fault()).second) return;  // told by every node that performs it
    Inject inject{told.order, label(note.fault())};
    // A lease that was renewed.
    const std::int64_t lasted = told.ends - told.begins;
    if (lasted > inject.order.lease && lasted < fault::kMaximumLease) {
      inject.order.lease = (lasted / kSecond + 1) * kSecond;
    }
    return add_step(std::move(inject));
  }
  const bool is_first = injected_.erase(note.fault()) > 0;
  if (is_first && note.what() == pb::Request::NoteFault::HEALED) {
    add_step(Heal{label(note.fault())});
  }
}

// ---- Nodes --------------------------------------------------------------------------------------

// A fault has to do with it, or had a moment ago.
bool Recorder::is_explained(NodeId node) const {
  return std::any_of(faults_.begin(), faults_.end(), [&](const auto& entry) {
    const Told& told = entry.second;
    return names(told.order, node_name(node)) && now_ >= told.begins - kTellsWithin &&
           now_ <= told.ends + kReturnsWithin;
  });
}

void Recorder::take_down(const pb::Command::NodeDown& down) {
  if (!is_on() || is_explained(down.node())) return;
  const pb::Node* row = state_.node(down.node());
  const bool is_news = row != nullptr && row->incarnation() == down.incarnation();
  if (!is_news || down_.contains(down.node())) return;
  if (!down.fenced()) {
    return remark(node_name(down.node()) +
                  " fell silent and no fault says why; nothing is recorded of it.");
  }
  down_.insert(down.node());
  add_step(Do{{"node kill", {node_name(down.node())}, {}}, Do::Answer::kAccepted, ""});
}

void Recorder::take_joined(const pb::Command::NodeJoined& joined) {
  const bool is_first = joined_.insert(joined.node()).second;
  if (is_first || !is_on() || is_explained(joined.node())) return;
  const std::string name = node_name(joined.node());
  // Back before anybody had taken it for dead.
  if (down_.erase(joined.node()) == 0) {
    add_step(Do{{"node kill", {name}, {}}, Do::Answer::kAccepted, ""});
  }
  add_step(Do{{"node start", {name}, {}}, Do::Answer::kAccepted, ""});
}

// ---- Steps --------------------------------------------------------------------------------------

std::string Recorder::task_word(TaskId task) const {
  const auto found = tasks_.find(task);
  return std::to_string(found == tasks_.end() ? task : found->second);
}

// What has come about since the step before, as far as it lasts. What a fault does to a node may be
// agreed before the note that tells of the fault: that is no moment to wait for.
std::optional<Condition> Recorder::trigger(const Effect& effect, bool& is_in_migration) const {
  const Inject* fault = std::get_if<Inject>(&effect);
  const auto is_brought_about = [&](const std::string& what) {
    return fault != nullptr &&
           std::any_of(state_.nodes().begin(), state_.nodes().end(), [&](const auto& node) {
             const std::string& name = node.second->name();
             return what == "node(" + name + ").state" && names(fault->order, name);
           });
  };
  std::string text;
  const auto ask = [&text](const std::string& one) { text += (text.empty() ? "" : " and ") + one; };
  for (const auto& [what, value] : sight_of(state_)) {
    const auto known = seen_.find(what);
    const bool is_news = known == seen_.end() || known->second != value;
    const bool is_migration = what.starts_with("migration(") && !value.empty();
    is_in_migration = is_in_migration || is_migration;
    if (!is_news || value.empty() || is_brought_about(what)) continue;
    const bool is_vm_state = what.starts_with("vm(") && what.ends_with(".state");
    if (is_vm_state && !is_settled_state(value)) continue;
    ask(what + " == " + value);
  }
  for (const auto& [id, number] : tasks_) {
    const pb::Task* task = state_.task(id);
    if (task == nullptr || !task->complete() || ended_.contains(id)) continue;
    ask("task(" + std::to_string(number) + ").complete");
  }
  if (text.empty()) return std::nullopt;
  return parse_condition(text).take();
}

void Recorder::add_step(Effect effect) {
  Step step;
  bool is_in_migration = false;
  step.when = trigger(effect, is_in_migration);
  // A phase of a migration does not wait for a clock.
  if (!is_in_migration) step.at = (now_ - *begins_) / kMillisecond * kMillisecond;
  if (step.when) step.when_within = std::max(kTriggerMin, 2 * (now_ - before_) / kSecond * kSecond);
  step.effect = std::move(effect);
  recorded_.scenario.steps.push_back(std::move(step));
  seen_ = sight_of(state_);
  for (const auto& [id, number] : tasks_) {
    const pb::Task* task = state_.task(id);
    if (task != nullptr && task->complete()) ended_.insert(id);
  }
  before_ = now_;
}

// Every task comes out as it did, and every VM ends up where it was.
void Recorder::end() {
  const auto expect = [this](const std::string& text) {
    Step step;
    step.effect = Expect{parse_condition(text).take(), kOutcomeWithin};
    recorded_.scenario.steps.push_back(std::move(step));
  };
  for (const auto& [id, number] : tasks_) {
    const pb::Task* task = state_.task(id);
    if (task == nullptr || !task->complete()) continue;
    const auto result = task_result_of(task->result());
    if (!result) continue;
    expect("task(" + std::to_string(number) + ").result == " + std::string(name(*result)));
  }
  for (const auto& [name, vm] : state_.vms()) {
    const auto at = vm_state_of(vm->state());
    if (!at || !is_settled_state(std::string(failsim::name(*at)))) continue;
    expect("vm(" + name + ").state == " + std::string(failsim::name(*at)) + " and vm(" + name +
           ").owner == " + node_name(vm->owner()));
  }
}

}  // namespace

Result<RecordedSession> record_session(const Session& session, std::int64_t since_wall_ns) {
  return Recorder(session, since_wall_ns).record();
}

}  // namespace failsim::scenario
