#include "cluster/failover/coordinator.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace failsim {
namespace {

// An operation, a migration or the check of an image is under way.
bool is_unsettled(const ClusterState& state, const pb::Vm& vm) {
  const pb::Task* image = state.task(vm.image_job());
  const bool digest_open =
      vm.origin() == pb::ORIGIN_IMAGE && image != nullptr &&
      image->job().statistics().digest() == pb::MigrationStatistics::DIGEST_UNKNOWN;
  return vm.has_operation() || vm.job() != 0 || digest_open;
}

}  // namespace

// ---- What is heard ------------------------------------------------------------------------------

void Coordinator::evidence(NodeId node, std::uint32_t instance) {
  nodes_.evidence(node, instance);
  nodes_due_ = true;
  next_look_ = 0;
}

void Coordinator::elected(const ClusterState& state, Index applied) {
  nodes_.elected(applied);
  guests_.elected(applied);
  migrations_.elected();
  failover_.elected();
  on_their_way_.clear();
  due_.clear();
  unsettled_.clear();
  for (const auto& [name, vm] : state.vms()) look_at(state, name);
  nodes_due_ = true;
  next_look_ = 0;
  bound_lowered_since_ = kNever;
}

// Keeps the sets in step with one VM's row.
void Coordinator::look_at(const ClusterState& state, const std::string& name) {
  const pb::Vm* vm = state.vm(name);
  due_.insert(name);
  unsettled_.erase(name);
  if (vm != nullptr && is_unsettled(state, *vm)) unsettled_.insert(name);
  failover_.vm_changed(state, name);
}

void Coordinator::report(NodeId from, Incarnation incarnation,
                         const pb::PeerMessage::Report& report) {
  for (const auto& guest : report.guests()) {
    const bool counts = guests_.report(from, incarnation, guest, report.applied_index());
    if (counts) due_.insert(guest.vm());
  }
  for (const auto& transfer : report.transfers()) {
    migrations_.report(from, transfer, report.applied_index());
    due_.insert(transfer.vm());
  }
}

void Coordinator::applied(const ClusterState& state, const Applied& applied, Index index) {
  std::erase_if(on_their_way_, [&](const auto& entry) { return entry.second <= index; });
  for (const std::string& vm : applied.vms) {
    guests_.vm_changed(vm, index, state.vm(vm) != nullptr);
    look_at(state, vm);
  }
  if (!applied.nodes) return;
  nodes_.nodes_changed(index);
  failover_.nodes_changed(state);
  nodes_due_ = true;
  due_.insert(unsettled_.begin(), unsettled_.end());
  next_look_ = 0;
}

void Coordinator::proposed(const Proposal& proposal, Index index) {
  for (const std::string& key : proposal.keys) on_their_way_[key] = index;
}

// ---- What is proposed ---------------------------------------------------------------------------

std::vector<Proposal> Coordinator::decide(const LeaderView& view) {
  if (view.now >= next_look_) make_all_due(view);
  Decision decision(view, on_their_way_);
  nodes_.note_lease(view);
  if (std::exchange(nodes_due_, false)) nodes_.decide(decision);
  for (const std::string& name : std::exchange(due_, {})) {
    const pb::Vm* vm = view.state.vm(name);
    if (vm == nullptr) continue;
    migrations_.decide(decision, *vm);
    guests_.decide(decision, *vm);
  }
  failover_.decide(decision, migrations_);
  decide_lease_bound(decision);
  next_look_ = std::min(next_look_, decision.next_look());
  return decision.take_proposals();
}

void Coordinator::make_all_due(const LeaderView& view) {
  next_look_ = view.now + view.state.heartbeat_interval();
  nodes_due_ = true;
  due_.insert(unsettled_.begin(), unsettled_.end());
  guests_.add_waiting(due_);
  migrations_.forget_ended(view.state);
}

// A shorter lease may be relied on by a new leader only when no longer one can be in force: when
// this leader has itself waited the old bound since it saw the shorter setting.
void Coordinator::decide_lease_bound(Decision& decision) {
  const LeaderView& view = decision.view();
  const Duration bound = view.state.cluster().lease_bound_ns();
  if (bound <= decision.detection_time()) {
    bound_lowered_since_ = kNever;
    return;
  }
  if (bound_lowered_since_ == kNever) bound_lowered_since_ = view.now;
  if (view.now < bound_lowered_since_ + lengthened(bound)) return;
  pb::Command command;
  command.mutable_lower_lease_bound()->set_from_ns(bound);
  command.mutable_lower_lease_bound()->set_to_ns(decision.detection_time());
  decision.propose("lease-bound", std::move(command));
}

}  // namespace failsim
