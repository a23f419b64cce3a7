#include "tools/failsim/process_stage.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <set>

#include "tools/failsim/launcher.h"
#include "tools/failsim/nodes.h"
#include "tools/failsim/tasks.h"

namespace failsim::cli {
namespace {

using scenario::Complaint;

constexpr Duration kCheckTime = 2 * kSecond;  // of migrated memory
constexpr Duration kBirth = 30 * kSecond;     // until all nodes are Up, until a VM runs
constexpr int kElections = 50;                // until the wanted node leads
constexpr int kAttempts = 5;                  // to create a VM
constexpr std::uint64_t kRecordLimitBytes = std::uint64_t{1} << 30;  // of a process
constexpr std::chrono::milliseconds kNodeStarts{30'000};
constexpr std::chrono::milliseconds kAskLimit{500};

constexpr std::string_view pattern_text(pb::DirtyPattern pattern) {
  switch (pattern) {
    case pb::PATTERN_HOT_SET:
      return "hot-set";
    case pb::PATTERN_SEQUENTIAL:
      return "sequential";
    default:
      return "uniform";
  }
}

json::object creation(const scenario::Vm& vm) {
  const std::string_view pattern = pattern_text(vm.config.pattern());
  json::object body = {{"name", vm.name},
                       {"memory_bytes", vm.config.memory_bytes()},
                       {"dirty_bytes_per_second", vm.config.dirty_bytes_per_second()},
                       {"working_set_bytes", vm.config.working_set_bytes()},
                       {"pattern", json::string(pattern.data(), pattern.size())},
                       {"fill", vm.config.fill() == pb::FILL_ZERO ? "zero" : "random"},
                       {"modelled", vm.config.modelled()},
                       {"start", vm.start}};
  if (!vm.owner.empty()) body["owner"] = vm.owner;
  return body;
}

// Everybody is Up and follows one leader; those that stay broken are not asked.
bool all_follow(const Sight& sight, const std::function<bool(const std::string&)>& is_asked) {
  const std::string leader = sight.leader();
  if (leader.empty()) return false;
  return std::all_of(sight.nodes.begin(), sight.nodes.end(), [&](const auto& entry) {
    const auto& [name, node] = entry;
    if (!is_asked(name)) return true;
    return node.leader == leader && node.has_quorum && sight.look("node", name, "state") == "Up";
  });
}

// Whether a target may still be checking the pages it was sent: it forgets the transfer after that.
bool is_checking(const Sight& sight) {
  return std::any_of(sight.vms.begin(), sight.vms.end(), [&sight](const json::value& vm) {
    const json::object& row = vm.as_object();
    const json::object* migration = sight.newest_migration(text_in(row, "name"));
    return migration != nullptr && word_in(*migration, "result") == "Success" &&
           text_in(*migration, "to") == text_in(row, "owner_node") &&
           is_null_in(*migration, "digest_match");
  });
}

}  // namespace

ClusterDescription launch_stage(const scenario::Scenario& scenario,
                                const ClusterDirectory& directory, bool netns) {
  LaunchOptions options{directory, {}};
  options.birth.name = "scenario";
  options.birth.nodes = scenario.topology.nodes;
  options.birth.node_memory_bytes = scenario.topology.node_memory_bytes;
  std::map<std::string, std::string> settings = scenario.topology.settings;
  settings.insert(scenario::kSettings.begin(), scenario::kSettings.end());
  for (const auto& [name, value] : settings) {
    options.birth.properties.push_back(name + "=" + value);
  }
  options.faults = true;
  options.netns = netns;
  options.record_limit_bytes = kRecordLimitBytes;
  launch_in_background(options, Life::kUntilCallerEnds);
  return *directory.description();
}

// ---- Birth --------------------------------------------------------------------------------------

std::optional<Complaint> ProcessStage::wait_until_whole() {
  const auto everybody = [](const std::string&) { return true; };
  const ProcessWatch::Clock::time_point now = ProcessWatch::Clock::now();
  const auto is_whole = [&] {
    const Sight sight = watch_.sight();
    return sight.as_of >= now && all_follow(sight, everybody);
  };
  if (wait_(is_whole, kBirth)) return std::nullopt;
  return Complaint{"L1", "The cluster did not come up."};
}

// A leader that is not the wanted one is stopped until another one leads.
std::optional<Complaint> ProcessStage::settle_leader() {
  const std::string& wanted = scenario_.topology.leader;
  for (int i = 0; i < kElections; ++i) {
    if (auto complaint = wait_until_whole()) return complaint;
    const std::string leading = watch_.sight().leader();
    if (wanted.empty() || leading == wanted) return std::nullopt;
    const auto process = process_of_node(client_.directory(), leading);
    if (!process || !send_signal(*process, SIGSTOP)) continue;
    const NodeId stopped = node_number(client_.description(), leading);
    facts_.tell(history::ProcessStopped{stopped});
    const bool is_deposed = wait_(
        [&] {
          const std::string now = watch_.sight().leader();
          return !now.empty() && now != leading;
        },
        kBirth);
    facts_.tell(history::ProcessContinued{stopped});
    send_signal(*process, SIGCONT);
    if (!is_deposed) return Complaint{"L1", leading + " was stopped, and no other node led."};
  }
  return Complaint{"trigger", wanted + " did not become the leader."};
}

std::optional<Complaint> ProcessStage::create(const scenario::Vm& vm, int attempts) {
  try {
    const json::value answer = client_.write("POST", "/v1/vms", creation(vm));
    require_success(wait_for_task(client_, task_in(answer)));
  } catch (const Failure& failure) {
    // Where the processors are busy with others, a node may be Down for a moment.
    if (failure.error.code == Code::kNodeNotAvailable && attempts > 1) {
      if (auto complaint = wait_until_whole()) return complaint;
      return create(vm, attempts - 1);
    }
    return Complaint{"L3", "VM " + vm.name + " could not be created: " + failure.error.message};
  }
  if (!vm.start) return std::nullopt;
  const auto runs = [&] {
    const Sight sight = watch_.sight();
    return sight.look("vm", vm.name, "executing") == "true" && sight.last_boot.contains(vm.name);
  };
  if (wait_(runs, kBirth)) return std::nullopt;
  return Complaint{"L3", "VM " + vm.name + " did not start."};
}

std::optional<Complaint> ProcessStage::prepare() {
  if (auto complaint = settle_leader()) return complaint;
  for (const scenario::Vm& vm : scenario_.vms) {
    if (auto complaint = create(vm, kAttempts)) return complaint;
  }
  return std::nullopt;
}

// ---- Recovery -----------------------------------------------------------------------------------

bool ProcessStage::is_left_broken(const std::string& node) const {
  const auto& broken = scenario_.left_broken;
  return std::find(broken.begin(), broken.end(), node) != broken.end();
}

void ProcessStage::heal(FaultInjector& injector) {
  if (scenario_.left_broken.empty()) {
    injector.heal(std::nullopt);
    return;
  }
  std::set<std::uint64_t> over;  // a fault has a row for each node that performs a part of it
  for (const json::value& row : injector.list()) {
    const Result<fault::Order> order = fault::parse_order(text_in(row.as_object(), "order"));
    const auto breaks = [this](const fault::Members& side) {
      return std::any_of(side.names.begin(), side.names.end(),
                         [this](const std::string& node) { return is_left_broken(node); });
    };
    const bool stays = order.ok() && (breaks(order.value().on.from) || breaks(order.value().on.to));
    if (!stays) over.insert(number_in(row.as_object(), "id"));
  }
  for (const std::uint64_t id : over) {
    try {
      injector.heal(id);
    } catch (const Failure& failure) {
      if (failure.error.code != Code::kNotFound) throw;  // its lease was over meanwhile
    }
  }
}

// Also those that end by themselves meanwhile, as `failsim node start` would.
void ProcessStage::start_ended_nodes() {
  for (std::uint32_t node = 1; node <= client_.description().nodes; ++node) {
    const std::string name = node_name(node);
    if (is_left_broken(name) || process_of_node(client_.directory(), name)) continue;
    try {
      start_node(client_.directory(), client_.description(), node, kNodeStarts);
    } catch (const Failure& failure) {
      // The launcher that healed a kill may have been quicker; a node that does not start is
      // missed.
      if (failure.error.code == Code::kConnectionRefused) throw;
    }
  }
}

std::optional<Complaint> ProcessStage::missing_vm(const Sight& sight, const json::object& vm,
                                                  const std::map<std::string, bool>& should_run) {
  constexpr std::array<std::string_view, 4> kSettled = {"TurnedOff", "Saved", "Running", "Paused"};
  const std::string name = text_in(vm, "name");
  const std::string state = word_in(vm, "state");
  if (std::find(kSettled.begin(), kSettled.end(), state) == kSettled.end()) {
    return Complaint{"L2", "VM " + name + " rests in state " + state + "."};
  }
  const bool executes = sight.look("vm", name, "executing") == "true";
  const auto wanted = should_run.find(name);
  const bool has_to_run = wanted != should_run.end() && wanted->second;
  if ((has_to_run || state == "Running") && !(state == "Running" && executes)) {
    return Complaint{"L2", "VM " + name + " does not run on " + text_in(vm, "owner_node") + "."};
  }
  if (state != "Running" && executes) {
    return Complaint{"L2", "VM " + name + " runs and should not."};
  }
  return std::nullopt;
}

std::optional<Complaint> ProcessStage::missing(const std::map<std::string, bool>& should_run) {
  const Sight sight = watch_.sight();
  if (!all_follow(sight, [this](const std::string& name) { return !is_left_broken(name); })) {
    return Complaint{"L1", "Not every node is Up and follows one leader although all is healed."};
  }
  for (const json::value& task : sight.tasks) {
    if (flag_in(task.as_object(), "is_complete")) continue;
    return Complaint{"L3", "Task " + plain_in(task.as_object(), "id") + " (" +
                               text_in(task.as_object(), "kind") + " of " +
                               text_in(task.as_object(), "object") + ") has not ended."};
  }
  for (const json::value& vm : sight.vms) {
    if (auto complaint = missing_vm(sight, vm.as_object(), should_run)) return complaint;
  }
  for (std::uint32_t node = 1; node <= client_.description().nodes; ++node) {
    if (is_left_broken(node_name(node))) continue;
    // A read waits until the node has applied what the others have.
    const HttpAnswer answer = client_.ask(node, "/v1/tasks", kAskLimit);
    if (answer.transport != Transport::kAnswered || answer.status != 200) {
      return Complaint{"L8", node_name(node) + " has not caught up."};
    }
  }
  return std::nullopt;
}

std::optional<Complaint> ProcessStage::recover(FaultInjector& injector,
                                               const std::map<std::string, bool>& should_run) {
  heal(injector);
  const ProcessWatch::Clock::time_point healed = ProcessWatch::Clock::now();
  std::optional<Complaint> complaint;
  const bool is_whole = wait_(
      [&] {
        start_ended_nodes();
        if (watch_.sight().as_of < healed) return false;
        complaint = missing(should_run);
        return !complaint;
      },
      scenario_.recovery);
  if (!is_whole) {
    return complaint.value_or(Complaint{"L1", "No node answers although all is healed."});
  }
  // Nothing is asked of it: what was not checked before a VM was started anew never is.
  wait_([this] { return !is_checking(watch_.sight()); }, kCheckTime);
  const bool has_faults = !injector.list().empty();
  if (has_faults && scenario_.left_broken.empty()) {
    return Complaint{"L4", "A fault is in force although all were healed."};
  }
  return std::nullopt;
}

}  // namespace failsim::cli
