// Nodes that come and go, and the VMs they leave behind.

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/migration/post_copy.h"
#include "cluster/state/change.h"
#include "cluster/state/node_state.h"

namespace failsim {
namespace {

void set_node_state(Change& change, pb::Node& node, pb::NodeState to, std::string_view reason) {
  const pb::NodeState from = node.state();
  node.set_state(to);
  change.event("node-state", "node/" + node.name(), node.id())
      .named("from", static_cast<std::uint32_t>(from), name(from))
      .named("to", static_cast<std::uint32_t>(to), name(to))
      .text("reason", reason);
}

// A guest that ran is started again from its disk: its memory is gone.
void cold_restart(Change& change, pb::Vm& vm, TaskId task) {
  pb::Vm::Operation& operation = *vm.mutable_operation();
  operation.set_method(static_cast<std::uint32_t>(VmMethod::kStartUp));
  operation.set_from_state(static_cast<std::uint32_t>(VmState::kTurnedOff));
  operation.set_task(task);
  vm.set_has_saved_state(false);
  change.enter_step(vm, plan_under_way(vm), 0);
}

// The operation of a VM whose guest is gone, seen from the new owner. A start is another boot, also
// from a saved state, so that no guest that was left behind can be taken for it.
void restart_operation(Change& change, pb::Vm& vm, bool owner_lives) {
  const Plan& plan = plan_under_way(vm);
  const GuestCondition wait = plan.steps[vm.operation().step()].wait;
  if (wait == GuestCondition::kAbsent) return;  // the guest is gone: the new owner will say so
  const bool starts = plan.method == VmMethod::kStartUp || plan.method == VmMethod::kReset;
  if (starts) {
    // Its owner has looked: the saved state is older than the disk.
    if (owner_lives && is_restoring(vm)) return cold_restart(change, vm, vm.operation().task());
    vm.set_boot_id(change.next_boot_id());
    return;
  }
  change.abandon(vm, VMTaskResult::kUnexpectedError,
                 {Code::kOperationAborted,
                  "The owner of VM '" + vm.name() + "' died while it was " +
                      std::string(failsim::name(state_of(vm))) + ".",
                  "Try again once the VM is Running."});
}

// Whether the node has the memory that the VM will take there, beside everything but the VM itself.
bool has_room(const ClusterState& state, const pb::Vm& vm, const pb::Node& node) {
  if (vm.want() == pb::GUEST_ABSENT && !vm.has_operation()) return true;
  const std::uint64_t needed = vm.config().memory_bytes();
  const pb::Task* job = state.job_of(vm);
  const bool is_owner = vm.owner() == node.id();
  const bool counted = is_owner ? vm.want() != pb::GUEST_ABSENT
                                : job != nullptr && (job->job().target() == node.id() ||
                                                     (job->job().source() == node.id() &&
                                                      pages_follow(vm, *job)));
  const std::uint64_t used = state.memory_in_use(node.id()) - (counted ? needed : 0);
  return used + needed <= node.memory_bytes();
}

void fail_over(Change& change, const pb::Command::Failover::Assignment& assignment,
               const std::string& reason) {
  const pb::Vm* found = change.state().vm(assignment.vm());
  const pb::Node* to = change.state().node(assignment.to());
  const bool stands = found != nullptr && same_epoch(found->epoch(), assignment.epoch()) &&
                      to != nullptr && to->state() == pb::NODE_UP &&
                      to->incarnation() == assignment.to_incarnation();
  const bool compares = !change.makes(Mistake::kApplyUnguarded);
  if (!stands && (compares || found == nullptr || to == nullptr)) return change.too_late();
  // Taken from a living owner because its guest failed: not if it has been told to try anew.
  const bool owner_lives = assignment.boot_id() != 0;
  const bool is_tried_anew =
      owner_lives && (found->boot_id() != assignment.boot_id() ||
                      (found->operation().task() != 0 && !is_restoring(*found)));
  if (is_tried_anew && compares) return change.too_late();
  // The room was looked for when this was proposed; something else may have taken it since.
  if (compares && !has_room(change.state(), *found, *to)) return change.too_late();

  pb::Vm vm = *found;
  const bool moves = vm.owner() != assignment.to();
  if (vm.job() != 0) {
    change.end_migration(vm, MigrationState::kFailure, JobState::kException,
                         VMTaskResult::kUnexpectedError,
                         {Code::kOperationAborted,
                          "The migration of VM '" + vm.name() + "' failed (" + reason +
                              ") and the VM is restarted on " + to->name() + ".",
                          "Its memory is lost; its disk is not."},
                         true);
  }
  const NodeId from = vm.owner();
  if (!change.makes(Mistake::kReuseEpoch)) set_epoch(vm.mutable_epoch(), change.next_epoch());
  vm.set_owner(assignment.to());
  change.note_slots();
  vm.set_owner_incarnation(assignment.to_incarnation());
  vm.set_image_job(0);
  vm.set_image_attempt(0);
  change.vm_event("owner", vm)
      .text("vm", vm.name())
      .text("from", node_name(from))
      .text("to", to->name())
      .text("epoch", to_string(epoch_of(vm.epoch())))
      .text("reason", moves ? reason : reason + ", restarted in place");
  const TaskId no_task = 0;
  if (vm.has_operation()) restart_operation(change, vm, owner_lives);
  if (!vm.has_operation() && vm.want() != pb::GUEST_ABSENT) cold_restart(change, vm, no_task);
  change.put(std::move(vm));
}

}  // namespace

void apply_node_joined(Change& change, const pb::Command::NodeJoined& command) {
  const pb::Node* found = change.state().node(command.node());
  const bool stands = found != nullptr && found->store_id() == command.store_id() &&
                      found->incarnation() < command.incarnation();
  if (!stands) return change.too_late();
  pb::Node node = *found;
  node.set_incarnation(command.incarnation());
  node.set_fenced(false);
  set_node_state(change, node, pb::NODE_UP, "a process joined");
  change.put(std::move(node));
}

void apply_node_down(Change& change, const pb::Command::NodeDown& command) {
  const pb::Node* found = change.state().node(command.node());
  const bool says_more = found != nullptr && found->incarnation() == command.incarnation() &&
                         (found->state() == pb::NODE_UP || (command.fenced() && !found->fenced()));
  if (!says_more) return change.too_late();
  pb::Node node = *found;
  node.set_fenced(node.fenced() || command.fenced());
  if (node.state() == pb::NODE_UP) {
    set_node_state(change, node, pb::NODE_DOWN, command.reason());
  } else {
    change.event("node-fenced", "node/" + node.name(), node.id()).text("reason", command.reason());
  }
  change.put(std::move(node));
}

void apply_node_up(Change& change, const pb::Command::NodeUp& command) {
  const pb::Node* found = change.state().node(command.node());
  const bool stands = found != nullptr && found->incarnation() == command.incarnation() &&
                      found->state() == pb::NODE_DOWN && !found->fenced();
  if (!stands) return change.too_late();
  pb::Node node = *found;
  set_node_state(change, node, pb::NODE_UP, "heard again");
  change.put(std::move(node));
}

void apply_failover(Change& change, const pb::Command::Failover& command) {
  for (const pb::Command::Failover::Assignment& assignment : command.assignments()) {
    fail_over(change, assignment, command.reason());
  }
}

void apply_lower_lease_bound(Change& change, const pb::Command::LowerLeaseBound& command) {
  pb::Cluster cluster = change.state().cluster();
  const bool stands = cluster.lease_bound_ns() == command.from_ns() &&
                      change.state().detection_time() == command.to_ns();
  if (!stands) return change.too_late();
  cluster.set_lease_bound_ns(command.to_ns());
  change.state().put(std::move(cluster));
}

}  // namespace failsim
