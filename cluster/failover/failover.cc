#include "cluster/failover/failover.h"

#include <optional>
#include <utility>
#include <vector>

#include "cluster/failover/placement.h"
#include "cluster/migration/migration_state.h"

namespace failsim {
namespace {

constexpr std::size_t kFailoverBatch = 256;

// When no guest of the owner can run any more.
Time owner_gone_at(const LeaderView& view, const pb::Vm& vm) {
  const pb::Node* owner = view.state.node(vm.owner());
  const bool proven_dead = owner->fenced() || owner->incarnation() != vm.owner_incarnation();
  const bool waits = !view.mistakes.has(Mistake::kSkipLeaseWait);
  return proven_dead || !waits ? 0 : view.leases.ends(vm.owner());
}

}  // namespace

void Failover::nodes_changed(const ClusterState& state) {
  for (const auto& [name, vm] : state.vms()) vm_changed(state, name);
}

void Failover::vm_changed(const ClusterState& state, const std::string& name) {
  const pb::Vm* vm = state.vm(name);
  if (vm == nullptr || owner_lives(state, *vm)) {
    orphans_.erase(name);
  } else {
    orphans_.insert(name);
  }
}

// A target that lives may hold the image of a source that is dead: the hand-over completes then. A
// new leader waits for its word, which is repeated, but no longer than it takes to miss a node.
bool Failover::waits_for_target(Decision& decision, const MigrationConductor& migrations,
                                const pb::Task* task) const {
  if (task == nullptr) return false;
  const pb::MigrationJob& job = task->job();
  const bool may_be_held = job.phase() == static_cast<std::uint32_t>(MigrationState::kMove) &&
                           lives(decision.state(), job.target(), job.target_incarnation());
  const Time until = led_since_ + decision.detection_time();
  if (!may_be_held || migrations.has_heard_target(*task) || decision.view().now >= until) {
    return false;
  }
  decision.look_again_at(until);
  return true;
}

void Failover::decide(Decision& decision, const MigrationConductor& migrations) {
  const LeaderView& view = decision.view();
  if (led_since_ == kNever) led_since_ = view.now;
  std::optional<Placement> placement;
  pb::Command command;
  pb::Command::Failover& failover = *command.mutable_failover();
  std::vector<std::string> keys;
  for (const std::string& name : orphans_) {
    const pb::Vm* vm = view.state.vm(name);
    if (vm == nullptr || decision.is_on_its_way("failover/" + name)) continue;
    const pb::Task* task = view.state.job_of(*vm);
    if (task != nullptr && decision.is_on_its_way(migration_key(name))) continue;
    const Time gone_at = owner_gone_at(view, *vm);
    if (view.now < gone_at) {
      decision.look_again_at(gone_at);
      continue;
    }
    if (waits_for_target(decision, migrations, task)) continue;
    if (!placement.has_value()) placement.emplace(view.state);
    const bool runs = vm->want() != pb::GUEST_ABSENT;
    const auto to = placement->place(runs ? vm->config().memory_bytes() : 0);
    if (!to.has_value()) {
      // Nobody can take it: a migration must not wait for that.
      if (task != nullptr && task->job().phase() != 0) {
        decision.propose(migration_key(name), abort_without_owner(*vm, *task));
      }
      continue;
    }
    pb::Command::Failover::Assignment& assignment = *failover.add_assignments();
    assignment.set_vm(name);
    *assignment.mutable_epoch() = vm->epoch();
    assignment.set_to(*to);
    assignment.set_to_incarnation(view.state.node(*to)->incarnation());
    keys.push_back("failover/" + name);
    if (keys.size() == kFailoverBatch) break;
  }
  if (keys.empty()) return;
  failover.set_reason("its owner is gone");
  decision.propose_all(std::move(keys), std::move(command));
}

}  // namespace failsim
