#include "cluster/failover/guest_watch.h"

#include <utility>

#include "cluster/failover/placement.h"
#include "cluster/state/change.h"

namespace failsim {
namespace {

bool is_failure(pb::GuestCondition condition) {
  return condition == pb::CONDITION_FAILED || condition == pb::CONDITION_IMAGE_LOST;
}

bool satisfies(pb::GuestCondition condition, GuestCondition wait) {
  switch (wait) {
    case GuestCondition::kNone:
      return true;
    case GuestCondition::kRunning:
      return condition == pb::CONDITION_RUNNING;
    case GuestCondition::kFrozen:
      return condition == pb::CONDITION_FROZEN;
    case GuestCondition::kAbsent:
      return condition == pb::CONDITION_ABSENT;
    case GuestCondition::kSaved:
      return condition == pb::CONDITION_SAVED;
  }
  return false;
}

// The operation's step is done.
pb::Command step_done(const pb::Vm& vm) {
  pb::Command command;
  pb::Command::VmStep& step = *command.mutable_vm_step();
  step.set_vm(vm.name());
  *step.mutable_epoch() = vm.epoch();
  step.set_boot_id(vm.boot_id());
  step.set_step(vm.operation().step());
  return command;
}

pb::Command step_failed(const pb::Vm& vm, const pb::PeerMessage::Report::Guest& guest) {
  pb::Command command;
  pb::Command::VmStepFailed& failed = *command.mutable_vm_step_failed();
  failed.set_vm(vm.name());
  *failed.mutable_epoch() = vm.epoch();
  failed.set_boot_id(vm.boot_id());
  failed.set_step(vm.operation().step());
  failed.set_task_result(guest.task_result());
  failed.set_message(guest.error());
  return command;
}

pb::Command restart(const pb::Vm& vm, const pb::Node& target, const std::string& reason) {
  pb::Command command;
  pb::Command::Failover& failover = *command.mutable_failover();
  failover.set_reason(reason);
  pb::Command::Failover::Assignment& assignment = *failover.add_assignments();
  assignment.set_vm(vm.name());
  *assignment.mutable_epoch() = vm.epoch();
  assignment.set_to(target.id());
  assignment.set_to_incarnation(target.incarnation());
  assignment.set_boot_id(vm.boot_id());
  return command;
}

}  // namespace

void GuestWatch::elected(Index applied) {
  said_.clear();
  changed_at_.clear();
  elected_at_ = applied;
  retry_at_.clear();
}

void GuestWatch::vm_changed(const std::string& vm, Index index, bool exists) {
  said_.erase(vm);  // it is of the former row
  if (exists) {
    changed_at_[vm] = index;
  } else {
    changed_at_.erase(vm);
    retry_at_.erase(vm);
  }
}

bool GuestWatch::report(NodeId from, Incarnation incarnation,
                        const pb::PeerMessage::Report::Guest& guest, Index applied) {
  // A failure told by a node that has not applied the row's last change: under the orders that
  // follow from it the guest may run.
  const auto changed = changed_at_.find(guest.vm());
  const Index change = changed == changed_at_.end() ? elected_at_ : changed->second;
  if (is_failure(guest.condition()) && applied < change) return false;
  said_[guest.vm()] = {from, incarnation, guest};
  return true;
}

void GuestWatch::add_waiting(std::set<std::string>& vms) const {
  for (const auto& [vm, at] : retry_at_) vms.insert(vm);
}

void GuestWatch::decide(Decision& decision, const pb::Vm& vm) {
  const auto found = said_.find(vm.name());
  if (found == said_.end()) return;
  const Said& said = found->second;
  const bool current = said.from == vm.owner() && said.incarnation == vm.owner_incarnation() &&
                       same_epoch(said.guest.epoch(), vm.epoch()) &&
                       said.guest.boot_id() == vm.boot_id();
  if (!current || !owner_lives(decision.state(), vm)) return;
  if (is_failure(said.guest.condition())) return decide_lost(decision, vm, said);
  if (!vm.has_operation()) return;
  const GuestCondition wait = plan_under_way(vm).steps[vm.operation().step()].wait;
  if (!satisfies(said.guest.condition(), wait)) return;
  decision.propose("step/" + vm.name(), step_done(vm));
}

// A user's operation fails, except that a restore whose saved state is older than the disk goes on
// as a cold start. What the cluster started by itself is tried again, elsewhere if possible, after
// a detection time.
void GuestWatch::decide_lost(Decision& decision, const pb::Vm& vm, const Said& said) {
  const LeaderView& view = decision.view();
  const bool image_lost = said.guest.condition() == pb::CONDITION_IMAGE_LOST;
  const bool starts_cold = image_lost && is_restoring(vm);
  if (vm.has_operation() && vm.operation().task() != 0 && !starts_cold) {
    return decision.propose("step/" + vm.name(), step_failed(vm, said.guest));
  }
  const auto [retry, first] =
      retry_at_.try_emplace(vm.name(), view.now + decision.detection_time());
  if (!image_lost && view.now < retry->second) return;
  const auto elsewhere = Placement(view.state).place(vm.config().memory_bytes(), vm.owner());
  const NodeId target = starts_cold ? vm.owner() : elsewhere.value_or(vm.owner());
  retry_at_.erase(retry);
  decision.propose("failover/" + vm.name(),
                   restart(vm, *view.state.node(target), said.guest.error()));
}

}  // namespace failsim
