// Creating and deleting VMs, and the state diagram.

#include <cassert>
#include <cstdio>
#include <utility>

#include "cluster/failover/placement.h"
#include "cluster/migration/precopy.h"
#include "cluster/state/change.h"
#include "cluster/state/field_hash.h"
#include "cluster/state/object_name.h"

namespace failsim {
namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;
constexpr std::uint64_t kVmMemoryMax = std::uint64_t{12} * 1024 * 1024 * kMebibyte;  // 12 TiB

// A GUID that every replica derives alike.
std::string make_vm_id(const ClusterState& state, Index index) {
  const std::uint64_t high =
      hash_number(index, hash_number(state.cluster().cluster_id(), kHashSeed));
  const std::uint64_t low = hash_number(high, kHashSeed);
  char text[64];
  std::snprintf(text, sizeof text, "%08X-%04X-4%03X-%04X-%012llX",
                static_cast<unsigned>(high >> 32), static_cast<unsigned>((high >> 16) & 0xffff),
                static_cast<unsigned>(high & 0xfff),
                static_cast<unsigned>(0x8000 | ((low >> 48) & 0x3fff)),
                static_cast<unsigned long long>(low & 0xffffffffffff));
  return text;
}

std::string megabytes(std::uint64_t bytes) {
  return std::to_string(bytes / kMebibyte) + " MiB";
}

std::optional<Error> config_refused(const pb::VmConfig& config) {
  const auto bad = [](std::string message, std::string next) {
    return Error{Code::kInvalidParameter, std::move(message), std::move(next)};
  };
  if (config.memory_bytes() == 0 || config.memory_bytes() % kPageBytes != 0 ||
      config.memory_bytes() > kVmMemoryMax) {
    return bad("A VM cannot have " + std::to_string(config.memory_bytes()) + " bytes of memory.",
               "Choose a multiple of 4 KiB up to 12 TiB, for example --memory 256MiB.");
  }
  if (config.working_set_bytes() > config.memory_bytes()) {
    return bad("A working set of " + megabytes(config.working_set_bytes()) +
                   " does not fit the VM's memory of " + megabytes(config.memory_bytes()) + ".",
               "Choose a smaller --working-set or a larger --memory.");
  }
  if (config.dirty_bytes_per_second() > 0 && config.working_set_bytes() < kPageBytes) {
    return bad("A guest that writes needs a working set of at least one page (4 KiB).",
               "Choose a larger --working-set, or --dirty-rate 0.");
  }
  return std::nullopt;
}

std::optional<Error> no_room(ClusterState& state, NodeId node, std::uint64_t bytes) {
  const pb::Node* row = state.node(node);
  assert(row != nullptr);
  const std::uint64_t used = state.memory_in_use(node);
  if (used + bytes <= row->memory_bytes()) return std::nullopt;
  return Error{Code::kNoSystemResources,
               row->name() + " has " +
                   megabytes(row->memory_bytes() - std::min(used, row->memory_bytes())) +
                   " of memory free and the VM needs " + megabytes(bytes) + ".",
               "Choose another node, a smaller --memory, or stop a VM there."};
}

std::optional<Error> busy(const pb::Vm& vm) {
  if (vm.has_operation()) {
    return Error{Code::kInvalidState,
                 "VM '" + vm.name() + "' is " + std::string(name(state_of(vm))) +
                     ": another operation is under way.",
                 "Wait for it: 'failsim task list' names it."};
  }
  if (vm.job() != 0) {
    return Error{Code::kInvalidState,
                 "VM '" + vm.name() + "' is being migrated (job " + std::to_string(vm.job()) + ").",
                 "Wait for the migration, or 'failsim migrate cancel " + vm.name() + "'."};
  }
  return std::nullopt;
}

}  // namespace

void apply_create_vm(Change& change, const pb::Request::CreateVm& request) {
  ClusterState& state = change.state();
  if (const auto error = vm_name_refused(request.name())) return change.refuse(*error);
  if (state.vm(request.name()) != nullptr) {
    return change.refuse({Code::kAlreadyExists, "A VM called '" + request.name() + "' exists.",
                          "Choose another name, or 'failsim vm delete " + request.name() + "'."});
  }
  if (const auto error = config_refused(request.config())) return change.refuse(*error);

  NodeId owner = request.owner();
  const std::uint64_t memory = request.config().memory_bytes();
  if (owner == kNoNode) owner = Placement(state).place(memory).value_or(kNoNode);
  const pb::Node* node = owner == kNoNode ? nullptr : state.node(owner);
  if (node == nullptr) {
    if (request.owner() != kNoNode) {
      return change.refuse({Code::kNodeNotFound,
                            "There is no node called '" + node_name(request.owner()) + "'.",
                            "See 'failsim node list'."});
    }
    return change.refuse({Code::kNoPossibleOwner,
                          "No node is Up with " + megabytes(memory) + " of memory free for VM '" +
                              request.name() + "'.",
                          "Stop a VM, choose a smaller --memory, or start a node."});
  }
  if (node->state() != pb::NODE_UP) {
    return change.refuse(
        {Code::kNodeNotAvailable,
         "VM '" + request.name() + "' cannot be created on " + node->name() + ": it is not Up.",
         "Choose a node that is Up: 'failsim node list'."});
  }
  if (memory > node->memory_bytes()) {
    return change.refuse(*no_room(state, owner, memory));
  }
  if (request.start()) {
    if (const auto error = no_room(state, owner, memory)) return change.refuse(*error);
  }

  pb::Vm vm;
  vm.set_name(request.name());
  vm.set_vm_id(make_vm_id(state, change.index()));
  *vm.mutable_config() = request.config();
  vm.set_owner(owner);
  vm.set_owner_incarnation(node->incarnation());
  set_epoch(vm.mutable_epoch(), change.next_epoch());
  vm.set_state(static_cast<std::uint32_t>(VmState::kTurnedOff));
  state.put_property(ObjectKind::kVm, vm.name(), "VmId", Value::sz(vm.vm_id()));
  state.put_property(ObjectKind::kVm, vm.name(), "StartMemory",
                     Value::dword(static_cast<std::uint32_t>(memory / kMebibyte)));
  const TaskId task = change.create_task("create", "vm/" + vm.name());
  change.vm_event("vm-created", vm)
      .text("vm", vm.name())
      .text("vm_id", vm.vm_id())
      .number("memory_bytes", memory);
  change.accept(task);
  if (request.start()) {
    change.begin(vm, VmMethod::kStartUp, task);
  } else {
    change.complete(task, VMTaskResult::kSuccess);
  }
  change.put(std::move(vm));
}

void apply_delete_vm(Change& change, const pb::Request::DeleteVm& request) {
  const pb::Vm* vm = change.state().vm(request.vm());
  if (vm == nullptr) return change.refuse(no_such_vm(request.vm()));
  if (const auto error = busy(*vm)) return change.refuse(*error);
  if (vm->want() != pb::GUEST_ABSENT) {
    return change.refuse({Code::kVmRunning,
                          "VM '" + vm->name() + "' is " + std::string(name(state_of(*vm))) +
                              " and cannot be deleted.",
                          "Stop it first: 'failsim vm turn-off " + vm->name() + "'."});
  }
  const TaskId task = change.create_task("delete", "vm/" + vm->name());
  change.vm_event("vm-deleted", *vm).text("vm", vm->name());
  end_waiting_migration(change, *vm, MigrationState::kCanceled, JobState::kTerminated,
                        VMTaskResult::kCancelled,
                        {Code::kOperationAborted,
                         "VM '" + vm->name() + "' was deleted while its migration waited.", ""});
  change.applied().vms.insert(vm->name());
  change.state().erase_vm(request.vm());
  change.accept(task);
  change.complete(task, VMTaskResult::kSuccess);
}

void apply_vm_method(Change& change, const pb::Request::VmMethod& request) {
  const pb::Vm* found = change.state().vm(request.vm());
  if (found == nullptr) return change.refuse(no_such_vm(request.vm()));
  const auto method = vm_method_of(request.method());
  if (!method.has_value()) {
    return change.refuse({Code::kInvalidParameter,
                          "There is no method " + std::to_string(request.method()) + ".",
                          "Use start, save, reset, pause, resume or turn-off."});
  }
  if (const auto error = busy(*found)) return change.refuse(*error);
  const Result<const Plan*> plan = plan_of(*method, state_of(*found), found->name());
  if (!plan.ok()) return change.refuse(plan.error());
  if (*method == VmMethod::kStartUp) {
    const auto error = no_room(change.state(), found->owner(), found->config().memory_bytes());
    if (error.has_value()) return change.refuse(*error);
  }
  pb::Vm vm = *found;
  const TaskId task = change.create_task(verb(*method), "vm/" + vm.name());
  change.accept(task);
  change.begin(vm, *method, task);
  change.put(std::move(vm));
}

namespace {

// The VM whose operation still stands where the command saw it; null otherwise.
template <typename Command>
const pb::Vm* vm_at_step(Change& change, const Command& command) {
  const pb::Vm* vm = change.state().vm(command.vm());
  const bool stands =
      vm != nullptr && vm->has_operation() &&
      (change.makes(Mistake::kApplyUnguarded) ||
       (same_epoch(vm->epoch(), command.epoch()) && vm->boot_id() == command.boot_id() &&
        vm->operation().step() == command.step()));
  if (!stands) change.too_late();
  return stands ? vm : nullptr;
}

}  // namespace

void apply_vm_step(Change& change, const pb::Command::VmStep& command) {
  const pb::Vm* found = vm_at_step(change, command);
  if (found == nullptr) return;
  pb::Vm vm = *found;
  change.enter_step(vm, plan_under_way(vm), command.step() + 1);
  change.put(std::move(vm));
}

namespace {

Code code_of(VMTaskResult result) {
  switch (result) {
    case VMTaskResult::kOutOfMemoryError:
      return Code::kNoSystemResources;
    case VMTaskResult::kDiskRelatedError:
      return Code::kWriteFault;
    case VMTaskResult::kTimeOutError:
      return Code::kTimeout;
    default:
      return Code::kOperationAborted;
  }
}

}  // namespace

// A start that failed leaves the VM off, with its saved state if it had one; a save that failed
// leaves it running.
void apply_vm_step_failed(Change& change, const pb::Command::VmStepFailed& command) {
  const pb::Vm* found = vm_at_step(change, command);
  if (found == nullptr) return;
  pb::Vm vm = *found;
  const VMTaskResult result =
      task_result_of(command.task_result()).value_or(VMTaskResult::kUnexpectedError);
  const Plan& plan = plan_under_way(vm);
  change.vm_event("vm-operation-failed", vm)
      .text("vm", vm.name())
      .text("method", name(plan.method))
      .text("reason", command.message());
  const bool saving = plan.method == VmMethod::kSave;
  change.abandon(vm, result, {code_of(result), command.message(), "See 'failsim events'."});
  change.announce(vm, saving ? VmState::kRunning : VmState::kTurnedOff);
  vm.set_want(saving ? pb::GUEST_RUNNING : pb::GUEST_ABSENT);
  if (vm.has_saved_state()) vm.set_state(static_cast<std::uint32_t>(VmState::kSaved));
  change.put(std::move(vm));
}

}  // namespace failsim
