#include "cluster/state/migration_check.h"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "cluster/vm/vm_state.h"

namespace failsim {
namespace {

constexpr std::string_view kReturnNames[] = {
    "Completed with No Error", "Not Supported",          "Failed", "Timeout", "Invalid Parameter",
    "Invalid State",           "Incompatible Parameters"};

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

// One migration looked at from all sides.
class Check {
 public:
  Check(const ClusterState& state, const pb::Vm& vm, const pb::Node& target)
      : state_(state), vm_(vm), source_(*state.node(vm.owner())), target_(target) {}

  std::vector<FailedCheck> run() {
    vm_state();
    place();
    limits();
    memory();
    processor();
    virtual_switch();
    configuration_version();
    storage_path();
    return std::move(failed_);
  }

 private:
  void vm_state();
  void place();
  void limits();
  void memory();
  void processor();
  void virtual_switch();
  void configuration_version();
  void storage_path();

  void fail(std::string_view check, CheckReturn returns, Code code, std::string message,
            std::string next) {
    failed_.push_back({check, returns, {code, std::move(message), std::move(next)}});
  }
  std::string vm() const { return "VM '" + vm_.name() + "'"; }
  Value of_vm(std::string_view property) const {
    return state_.property(ObjectKind::kVm, vm_.name(), property);
  }
  Value of_node(const pb::Node& node, std::string_view property) const {
    return state_.property(ObjectKind::kNode, node.name(), property);
  }

  const ClusterState& state_;
  const pb::Vm& vm_;
  const pb::Node& source_;
  const pb::Node& target_;
  std::vector<FailedCheck> failed_;
};

void Check::vm_state() {
  const pb::Task* task = state_.open_migration(vm_);
  if (task != nullptr) {
    const bool waits = task->job().queued_index() != 0;
    fail("migrations", CheckReturn::kInvalidState, Code::kClusterBusy,
         vm() +
             (waits ? " waits for a migration already (job " : " is being migrated already (job ") +
             std::to_string(task->id()) + ").",
         "Wait for it, or 'failsim migrate cancel " + vm_.name() + "'.");
  }
  const auto state = vm_state_of(vm_.state()).value_or(VmState::kInvalid);
  if (state == VmState::kRunning && !vm_.has_operation()) return;
  fail("VM state", CheckReturn::kInvalidState, Code::kInvalidState,
       vm() + " is " + std::string(name(state)) + " and only a Running VM can be migrated live.",
       "Start it first: 'failsim vm start " + vm_.name() + "'.");
}

void Check::place() {
  if (target_.id() == vm_.owner()) {
    fail("target", CheckReturn::kInvalidParameter, Code::kInvalidParameter,
         vm() + " is on " + target_.name() + " already.",
         "Choose another node: 'failsim node list'.");
  } else if (target_.state() != pb::NODE_UP) {
    fail("target", CheckReturn::kFailed, Code::kNodeNotAvailable,
         vm() + " cannot be migrated to " + target_.name() + ": it is not Up.",
         "Start it ('failsim node start " + target_.name() + "') or choose another node.");
  }
  if (source_.state() != pb::NODE_UP || source_.incarnation() != vm_.owner_incarnation()) {
    fail("source", CheckReturn::kFailed, Code::kNodeNotAvailable,
         "The owner of " + vm() + ", " + source_.name() + ", is not Up.",
         "Wait until the VM has failed over.");
  }
}

void Check::limits() {
  for (const pb::Node* node : {&source_, &target_}) {
    if (of_node(*node, "EnableVirtualSystemMigration").number() != 0) continue;
    fail("migration limits", CheckReturn::kNotSupported, Code::kInvalidState,
         vm() + " cannot be migrated " + (node == &source_ ? "from " : "to ") + node->name() +
             ": its EnableVirtualSystemMigration is 0 and has to be 1.",
         "'failsim property set node/" + node->name() + " EnableVirtualSystemMigration 1'.");
  }
}

void Check::memory() {
  const pb::Task* job = state_.job_of(vm_);
  const bool is_there =
      target_.id() == vm_.owner() || (job != nullptr && job->job().target() == target_.id());
  if (is_there) return;
  const std::uint64_t used = state_.memory_in_use(target_.id());
  const std::uint64_t free = target_.memory_bytes() - std::min(used, target_.memory_bytes());
  if (vm_.config().memory_bytes() <= free) return;
  fail("memory", CheckReturn::kFailed, Code::kNoSystemResources,
       target_.name() + " has " + mebibytes(free) + " of memory free and " + vm() + " needs " +
           mebibytes(vm_.config().memory_bytes()) + ".",
       "Choose another node or stop a VM there.");
}

void Check::processor() {
  const std::uint64_t needed = of_vm("ProcessorProfile").number();
  const std::uint64_t offered = of_node(target_, "ProcessorProfile").number();
  if (needed <= offered) return;
  fail("processor profile", CheckReturn::kIncompatibleParameters, Code::kInvalidState,
       vm() + " needs the processor profile x86-64-v" + std::to_string(needed) + " and " +
           target_.name() + " has x86-64-v" + std::to_string(offered) + ".",
       "Choose a node with the ProcessorProfile " + std::to_string(needed) + ".");
}

void Check::virtual_switch() {
  const std::string needed = of_vm("VirtualSwitch").text();
  if (needed.empty()) return;
  const Value offered = of_node(target_, "VirtualSwitches");
  const std::vector<std::string>& switches = offered.texts();
  if (std::find(switches.begin(), switches.end(), needed) != switches.end()) return;
  fail("virtual switch", CheckReturn::kIncompatibleParameters, Code::kInvalidState,
       vm() + " is connected to the virtual switch '" + needed + "' and " + target_.name() +
           (switches.empty() ? " has none." : " has only '" + to_text(offered) + "'."),
       "Give " + target_.name() + " a virtual switch of this name (VirtualSwitches).");
}

void Check::configuration_version() {
  const std::uint64_t version = of_vm("ConfigurationVersion").number();
  const std::uint64_t oldest = of_node(target_, "ConfigurationVersionMinimum").number();
  const std::uint64_t newest = of_node(target_, "ConfigurationVersionMaximum").number();
  if (version >= oldest && version <= newest) return;
  fail("configuration version", CheckReturn::kIncompatibleParameters, Code::kInvalidState,
       vm() + " has the configuration version " + std::to_string(version) + " and " +
           target_.name() + " supports " + std::to_string(oldest) + " to " +
           std::to_string(newest) + ".",
       "Choose a node that supports version " + std::to_string(version) + ".");
}

// "/vm" reaches "/vm" and "/vm/web", and not "/vms".
bool reaches(std::string root, const std::string& path) {
  while (!root.empty() && root.back() == '/') root.pop_back();
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

void Check::storage_path() {
  const std::string path = of_vm("VmStoreRootPath").text();
  if (path.empty()) return;
  const Value offered = of_node(target_, "StoragePaths");
  const std::vector<std::string>& roots = offered.texts();
  const auto holds = [&](const std::string& root) { return reaches(root, path); };
  if (std::any_of(roots.begin(), roots.end(), holds)) return;
  fail("storage path", CheckReturn::kIncompatibleParameters, Code::kInvalidState,
       vm() + " is stored in '" + path + "', which " + target_.name() + " does not reach" +
           (roots.empty() ? "." : ": it reaches '" + to_text(offered) + "'."),
       "Make the directory known to " + target_.name() + " (StoragePaths).");
}

}  // namespace

std::string_view name(CheckReturn value) {
  const auto index = static_cast<std::size_t>(value);
  assert(index < std::size(kReturnNames));
  return kReturnNames[index];
}

std::vector<FailedCheck> failed_checks(const ClusterState& state, const pb::Vm& vm, NodeId target,
                                       const std::string& asked) {
  const pb::Node* node = state.node(target);
  if (node != nullptr) return Check(state, vm, *node).run();
  const std::string named = asked.empty() ? node_name(target) : asked;
  return {{"target",
           CheckReturn::kInvalidParameter,
           {Code::kNodeNotFound, "There is no node called '" + named.substr(0, 80) + "'.",
            "See 'failsim node list'."}}};
}

CheckReturn check_return(const std::vector<FailedCheck>& failed) {
  return failed.empty() ? CheckReturn::kCompleted : failed.front().returns;
}

Error joined(const std::vector<FailedCheck>& failed) {
  assert(!failed.empty());
  Error error = failed.front().error;
  for (std::size_t i = 1; i < failed.size(); ++i) error.message += " " + failed[i].error.message;
  return error;
}

}  // namespace failsim
