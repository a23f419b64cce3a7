#include "cluster/failover/coordinator.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "cluster/failover/placement.h"
#include "cluster/membership/process_start.h"
#include "cluster/state/change.h"

namespace failsim {
namespace {

constexpr std::size_t kFailoverBatch = 256;

bool lives(const ClusterState& state, NodeId id, Incarnation incarnation) {
  const pb::Node* node = state.node(id);
  return node != nullptr && node->state() == pb::NODE_UP && node->incarnation() == incarnation;
}

bool owner_lives(const ClusterState& state, const pb::Vm& vm) {
  return lives(state, vm.owner(), vm.owner_incarnation());
}

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

pb::Command abort(const pb::MigrationJob& job, TaskId id, VMTaskResult result, Code error,
                  std::string message) {
  pb::Command command;
  pb::Command::AbortMigration& abort = *command.mutable_abort_migration();
  abort.set_vm(job.vm());
  abort.set_job(id);
  abort.set_attempt(job.attempt());
  abort.set_phase(job.phase());
  abort.set_task_result(static_cast<std::uint32_t>(result));
  abort.set_error(static_cast<std::uint32_t>(error));
  abort.set_message(std::move(message));
  return command;
}

pb::Command advance(const pb::MigrationJob& job, TaskId id, MigrationState to,
                    const pb::MigrationStatistics* statistics) {
  pb::Command command;
  pb::Command::AdvanceMigration& advance = *command.mutable_advance_migration();
  advance.set_vm(job.vm());
  advance.set_job(id);
  advance.set_attempt(job.attempt());
  advance.set_from_phase(job.phase());
  advance.set_to_phase(static_cast<std::uint32_t>(to));
  if (statistics != nullptr) *advance.mutable_statistics() = *statistics;
  return command;
}

pb::Command not_converging(const pb::MigrationJob& job, TaskId id,
                           const pb::MigrationStatistics& statistics) {
  pb::Command command;
  pb::Command::ReportNotConverging& report = *command.mutable_report_not_converging();
  report.set_vm(job.vm());
  report.set_job(id);
  report.set_attempt(job.attempt());
  *report.mutable_statistics() = statistics;
  return command;
}

}  // namespace

struct Coordinator::Decision {
  const LeaderView& view;
  Duration detection_time;
  std::vector<Proposal> proposals;
};

void Coordinator::evidence(NodeId node, std::uint32_t instance) {
  dead_.insert({node, instance});
  nodes_due_ = true;
  next_look_ = 0;
}

void Coordinator::elected(const ClusterState& state, Index applied) {
  changed_at_.clear();
  elected_at_ = applied;
  guests_.clear();
  transfers_.clear();
  on_their_way_.clear();
  due_.clear();
  unsettled_.clear();
  orphans_.clear();
  retry_at_.clear();
  target_failed_.clear();
  bound_lowered_since_ = kNever;
  for (const auto& [name, vm] : state.vms()) look_at(state, name);
  nodes_due_ = true;
  nodes_changed_at_ = applied;
  up_.clear();
  next_look_ = 0;
}

// Keeps the sets in step with one VM's row.
void Coordinator::look_at(const ClusterState& state, const std::string& name) {
  const pb::Vm* vm = state.vm(name);
  due_.insert(name);
  unsettled_.erase(name);
  orphans_.erase(name);
  guests_.erase(name);  // what was said of the former row; it is repeated while it matters
  if (vm == nullptr) {
    retry_at_.erase(name);
    changed_at_.erase(name);
    return;
  }
  const pb::Task* image = state.task(vm->image_job());
  const bool digest_open =
      vm->origin() == pb::ORIGIN_IMAGE && image != nullptr &&
      image->job().statistics().digest() == pb::MigrationStatistics::DIGEST_UNKNOWN;
  if (vm->has_operation() || vm->job() != 0 || digest_open) unsettled_.insert(name);
  if (!owner_lives(state, *vm)) orphans_.insert(name);
}

void Coordinator::report(NodeId from, Incarnation incarnation,
                         const pb::PeerMessage::Report& report) {
  for (const auto& guest : report.guests()) {
    // A failure told by a node that has not applied the row's last change: under the orders that
    // follow from it the guest may run.
    const auto changed = changed_at_.find(guest.vm());
    const Index change = changed == changed_at_.end() ? elected_at_ : changed->second;
    if (is_failure(guest.condition()) && report.applied_index() < change) continue;
    guests_[guest.vm()] = {from, incarnation, guest};
    due_.insert(guest.vm());
  }
  for (const auto& transfer : report.transfers()) {
    transfers_[{transfer.job(), from}] = transfer;
    due_.insert(transfer.vm());
  }
}

void Coordinator::applied(const ClusterState& state, const Applied& applied, Index index) {
  for (auto entry = on_their_way_.begin(); entry != on_their_way_.end();) {
    entry = entry->second <= index ? on_their_way_.erase(entry) : std::next(entry);
  }
  for (const std::string& vm : applied.vms) {
    changed_at_[vm] = index;
    look_at(state, vm);
  }
  if (!applied.nodes) return;
  nodes_due_ = true;
  nodes_changed_at_ = index;
  for (const auto& [name, vm] : state.vms()) {
    if (!owner_lives(state, *vm)) {
      orphans_.insert(name);
    } else {
      orphans_.erase(name);
    }
  }
  due_.insert(unsettled_.begin(), unsettled_.end());
  next_look_ = 0;
}

void Coordinator::propose(Decision& decision, std::string key, pb::Command command) {
  if (on_their_way_.contains(key)) return;
  decision.proposals.push_back({{std::move(key)}, std::move(command)});
}

void Coordinator::proposed(const Proposal& proposal, Index index) {
  for (const std::string& key : proposal.keys) on_their_way_[key] = index;
}

std::vector<Proposal> Coordinator::decide(const LeaderView& view) {
  Decision decision{view, view.state.detection_time(), {}};
  const bool periodic = view.now >= next_look_;
  if (periodic) {
    next_look_ = view.now + view.state.heartbeat_interval();
    nodes_due_ = true;
    due_.insert(unsettled_.begin(), unsettled_.end());
    for (const auto& [name, at] : retry_at_) due_.insert(name);
    forget_ended_jobs(view.state);
  }
  if (!view.leased) leased_from_ = view.now;
  if (nodes_due_) {
    notice_ups(view);
    for (const auto& [id, node] : view.state.nodes()) decide_node(decision, *node);
    nodes_due_ = false;
  }
  std::set<std::string> due;
  due.swap(due_);
  for (const std::string& name : due) {
    const pb::Vm* vm = view.state.vm(name);
    if (vm != nullptr) decide_vm(decision, *vm);
  }
  if (!orphans_.empty()) decide_failovers(decision);
  decide_lease_bound(decision);
  return std::move(decision.proposals);
}

// What was said of jobs that have nothing left to decide.
void Coordinator::forget_ended_jobs(const ClusterState& state) {
  const auto ended = [&](TaskId id) {
    const pb::Task* task = state.task(id);
    if (task == nullptr) return true;
    const bool digest_open =
        task->job().phase() == 0 &&
        task->job().statistics().digest() == pb::MigrationStatistics::DIGEST_UNKNOWN;
    return task->complete() && !digest_open;
  };
  std::erase_if(transfers_, [&](const auto& said) { return ended(said.first.first); });
  std::erase_if(target_failed_, [&](const auto& said) { return ended(said.first); });
}

void Coordinator::notice_ups(const LeaderView& view) {
  for (const auto& [id, node] : view.state.nodes()) {
    if (node->state() != pb::NODE_UP) {
      up_.erase(id);
    } else if (const auto up = up_.find(id);
               up == up_.end() || up->second.first != node->incarnation()) {
      up_[id] = {node->incarnation(), view.now};
    }
  }
}

// When the node was last known to hold a lease, or to have no chance yet to get one.
Time Coordinator::last_leased(const LeaderView& view, const pb::Node& node) const {
  const auto up = up_.find(node.id());
  const Time since = up == up_.end() ? view.now : up->second.second;
  return std::max({since, leased_from_, view.leases.held_at(node.id(), node.incarnation())});
}

// How many call the node silent. A node that is Down may have lost its hearing: it is not asked.
std::size_t Coordinator::silent_votes(const Decision& decision, NodeId of) const {
  const LeaderView& view = decision.view;
  std::uint64_t voters = 0;
  for (const auto& [id, node] : view.state.nodes()) {
    if (node->state() != pb::NODE_DOWN) voters |= std::uint64_t{1} << (id - 1);
  }
  return view.detector.silent_votes(of, voters, view.now, decision.detection_time);
}

// Why a node that is Up has to be called Down; nothing if it has not. A node that is heard and
// holds no lease is as good as silent: its guests stand still, whatever it says of itself.
std::optional<std::string> Coordinator::why_down(const Decision& decision,
                                                 const pb::Node& node) const {
  const LeaderView& view = decision.view;
  const std::string time = std::to_string(decision.detection_time / kMillisecond) + " ms";
  if (silent_votes(decision, node.id()) >= view.quorum) return "silent for " + time;
  if (view.now < last_leased(view, node) + decision.detection_time) return std::nullopt;
  return "heard, but without a lease for " + time;
}

// Whether a node that is Down, though its process lives, can do its part again.
bool Coordinator::is_back(const Decision& decision, const pb::Node& node) const {
  const LeaderView& view = decision.view;
  // A leader is heard by a quorum; who calls it silent may be deaf. It is not Down for that: Down it
  // has no lease, and without one it could not take the deaf node down.
  if (node.id() == view.self) return true;
  if (silent_votes(decision, node.id()) != 0) return false;
  return view.detector.hears(node.id(), view.now, decision.detection_time) &&
         view.detector.incarnation(node.id()) == node.incarnation() &&
         view.leases.follows(node.id(), node.incarnation(), nodes_changed_at_,
                             view.now - decision.detection_time);
}

void Coordinator::decide_node(Decision& decision, const pb::Node& node) {
  const LeaderView& view = decision.view;
  const bool is_self = node.id() == view.self;
  const Incarnation heard = is_self ? view.incarnation : view.detector.incarnation(node.id());
  // Its next process has spoken, so this one is dead; the next one may be silent again, or dead.
  const bool is_replaced = heard > node.incarnation();
  const std::string key = "node/" + node.name();
  pb::Command command;
  if (is_replaced && view.detector.hears(node.id(), view.now, decision.detection_time) &&
      !dead_.contains({node.id(), instance_of(heard)})) {
    pb::Command::NodeJoined& joined = *command.mutable_node_joined();
    joined.set_node(node.id());
    joined.set_store_id(node.store_id());
    joined.set_incarnation(heard);
    return propose(decision, key, std::move(command));
  }
  const bool proven_dead =
      is_replaced || dead_.contains({node.id(), instance_of(node.incarnation())});
  std::optional<std::string> reason;
  if (proven_dead) {
    const bool is_told = node.state() == pb::NODE_DOWN ? node.fenced() : is_self;
    if (!is_told && node.state() != pb::NODE_JOINING) reason = "its process is dead";
  } else if (node.state() == pb::NODE_UP && !is_self) {
    reason = why_down(decision, node);
  }
  if (reason.has_value()) {
    pb::Command::NodeDown& down = *command.mutable_node_down();
    down.set_node(node.id());
    down.set_incarnation(node.incarnation());
    down.set_fenced(proven_dead);
    down.set_reason(*reason);
    return propose(decision, key, std::move(command));
  }
  if (node.state() == pb::NODE_DOWN && !node.fenced() && is_back(decision, node)) {
    pb::Command::NodeUp& up = *command.mutable_node_up();
    up.set_node(node.id());
    up.set_incarnation(node.incarnation());
    propose(decision, key, std::move(command));
  }
}

void Coordinator::decide_vm(Decision& decision, const pb::Vm& vm) {
  const pb::Task* task = decision.view.state.job_of(vm);
  if (task != nullptr) decide_migration(decision, vm, *task);
  decide_digest(decision, vm);
  const auto found = guests_.find(vm.name());
  if (found == guests_.end()) return;
  const GuestSaid& said = found->second;
  const bool current = said.from == vm.owner() && said.incarnation == vm.owner_incarnation() &&
                       same_epoch(said.guest.epoch(), vm.epoch()) &&
                       said.guest.boot_id() == vm.boot_id();
  if (!current || !owner_lives(decision.view.state, vm)) return;
  if (is_failure(said.guest.condition())) {
    decide_guest_lost(decision, vm, said);
  } else if (vm.has_operation()) {
    decide_step(decision, vm, said);
  }
}

void Coordinator::decide_step(Decision& decision, const pb::Vm& vm, const GuestSaid& said) {
  const Plan& plan = plan_under_way(vm);
  const GuestCondition wait = plan.steps[vm.operation().step()].wait;
  if (!satisfies(said.guest.condition(), wait)) return;
  pb::Command command;
  pb::Command::VmStep& step = *command.mutable_vm_step();
  step.set_vm(vm.name());
  *step.mutable_epoch() = vm.epoch();
  step.set_boot_id(vm.boot_id());
  step.set_step(vm.operation().step());
  propose(decision, "step/" + vm.name(), std::move(command));
}

// A user's operation fails, except that a restore whose saved state is older than the disk goes on
// as a cold start. What the cluster started by itself is tried again, elsewhere if possible, after
// a detection time.
void Coordinator::decide_guest_lost(Decision& decision, const pb::Vm& vm, const GuestSaid& said) {
  const LeaderView& view = decision.view;
  const bool image_lost = said.guest.condition() == pb::CONDITION_IMAGE_LOST;
  const bool starts_cold = image_lost && is_restoring(vm);
  pb::Command command;
  if (vm.has_operation() && vm.operation().task() != 0 && !starts_cold) {
    pb::Command::VmStepFailed& failed = *command.mutable_vm_step_failed();
    failed.set_vm(vm.name());
    *failed.mutable_epoch() = vm.epoch();
    failed.set_boot_id(vm.boot_id());
    failed.set_step(vm.operation().step());
    failed.set_task_result(said.guest.task_result());
    failed.set_message(said.guest.error());
    return propose(decision, "step/" + vm.name(), std::move(command));
  }
  const auto [retry, first] = retry_at_.try_emplace(vm.name(), view.now + decision.detection_time);
  if (!image_lost && view.now < retry->second) return;
  const auto elsewhere = Placement(view.state).place(vm.config().memory_bytes(), vm.owner());
  const NodeId target = starts_cold ? vm.owner() : elsewhere.value_or(vm.owner());
  pb::Command::Failover& failover = *command.mutable_failover();
  failover.set_reason(said.guest.error());
  pb::Command::Failover::Assignment& assignment = *failover.add_assignments();
  assignment.set_vm(vm.name());
  *assignment.mutable_epoch() = vm.epoch();
  assignment.set_to(target);
  assignment.set_to_incarnation(view.state.node(target)->incarnation());
  assignment.set_boot_id(vm.boot_id());
  retry_at_.erase(retry);
  propose(decision, "failover/" + vm.name(), std::move(command));
}

const pb::PeerMessage::Report::Transfer* Coordinator::said(const pb::MigrationJob& job, TaskId id,
                                                           NodeId side) const {
  const auto report = transfers_.find({id, side});
  if (report == transfers_.end() || report->second.attempt() != job.attempt()) return nullptr;
  return &report->second;
}

void Coordinator::observe(const ClusterState& state, TaskId id, pb::Command& command) const {
  const pb::Task* task = state.task(id);
  if (task == nullptr || !task->has_job() || task->complete()) return;
  const auto* source = said(task->job(), id, task->job().source());
  if (source == nullptr) return;
  pb::Command::Observed& observed = *command.add_observed();
  observed.set_job(id);
  *observed.mutable_statistics() = source->statistics();
}

void Coordinator::observe(const ClusterState& state, pb::Command& command) const {
  const auto of_vm = [&](const std::string& name) {
    const pb::Vm* vm = state.vm(name);
    if (vm != nullptr && vm->job() != 0) observe(state, vm->job(), command);
  };
  const pb::Request& request = command.request();
  if (request.has_cancel_migration()) of_vm(request.cancel_migration().vm());
  if (request.has_request_state_change()) {
    observe(state, request.request_state_change().job(), command);
  }
  if (request.has_cancel_task()) observe(state, request.cancel_task().task(), command);
  if (command.has_abort_migration()) of_vm(command.abort_migration().vm());
  for (const auto& assignment : command.failover().assignments()) of_vm(assignment.vm());
}

void Coordinator::decide_migration(Decision& decision, const pb::Vm& vm, const pb::Task& task) {
  const LeaderView& view = decision.view;
  const pb::MigrationJob& job = task.job();
  const TaskId id = task.id();
  const std::string key = "job/" + vm.name();
  const auto* source = said(job, id, job.source());
  const auto* target = said(job, id, job.target());
  const auto status = [](const pb::PeerMessage::Report::Transfer* report) {
    return report == nullptr ? pb::TRANSFER_IDLE : report->status();
  };
  const bool target_lives = lives(view.state, job.target(), job.target_incarnation());

  if (job.phase() == 0) {
    if (status(target) != pb::TRANSFER_RESUMED && status(target) != pb::TRANSFER_VERIFIED) return;
    pb::Command command;
    pb::Command::FinishMigration& finish = *command.mutable_finish_migration();
    finish.set_vm(vm.name());
    finish.set_job(id);
    finish.set_attempt(job.attempt());
    *finish.mutable_statistics() = target->statistics();
    finish.mutable_statistics()->set_digest(pb::MigrationStatistics::DIGEST_UNKNOWN);
    return propose(decision, key, std::move(command));
  }

  const MigrationState phase = *migration_state_of(job.phase());
  const bool by_source = view.mistakes.has(Mistake::kCompleteBeforeHeld);
  const auto* holder = by_source ? source : target;
  const pb::TransferStatus held = by_source ? pb::TRANSFER_RELEASED : pb::TRANSFER_HOLDS_ALL;
  if (phase == MigrationState::kMove && status(holder) == held && target_lives) {
    pb::Command command;
    pb::Command::CompleteMigration& complete = *command.mutable_complete_migration();
    complete.set_vm(vm.name());
    complete.set_job(id);
    complete.set_attempt(job.attempt());
    complete.set_target_incarnation(job.target_incarnation());
    *complete.mutable_statistics() = holder->statistics();
    return propose(decision, key, std::move(command));
  }
  if (!target_lives) {
    return propose(
        decision, key,
        abort(job, id, VMTaskResult::kUnexpectedError, Code::kNodeDown,
              "The target " + node_name(job.target()) + " died during " + std::string(name(phase)) +
                  "; VM '" + vm.name() + "' stays on " + node_name(job.source()) + "."));
  }
  const auto* broken = broken_side(decision, id, job, source, target);
  if (broken != nullptr) {
    const VMTaskResult result =
        task_result_of(broken->task_result()).value_or(VMTaskResult::kUnexpectedError);
    return propose(decision, key,
                   abort(job, id, result,
                         result == VMTaskResult::kOutOfMemoryError ? Code::kNoSystemResources
                                                                   : Code::kOperationAborted,
                         broken->error()));
  }
  if (job.phase_deadline_ns() != 0 && view.cluster_now >= job.phase_deadline_ns()) {
    return propose(
        decision, key,
        abort(job, id, VMTaskResult::kTimeOutError, Code::kTimeout,
              "The migration of VM '" + vm.name() + "' exceeded its time in " +
                  std::string(name(phase)) + "; the VM stays on " + node_name(job.source()) + "."));
  }
  if (phase == MigrationState::kSetup && status(target) == pb::TRANSFER_READY) {
    return propose(decision, key, advance(job, id, MigrationState::kDataTransfer, nullptr));
  }
  if (phase == MigrationState::kDataTransfer && status(source) == pb::TRANSFER_STREAMING &&
      !source->statistics().not_converging().empty() && job.statistics().not_converging().empty()) {
    return propose(decision, key, not_converging(job, id, source->statistics()));
  }
  // The check of the image the guest came from ends before the guest leaves.
  if (verification_open(view.state, vm)) return;
  if (phase == MigrationState::kDataTransfer && status(source) == pb::TRANSFER_CONVERGED) {
    propose(decision, key, advance(job, id, MigrationState::kMove, &source->statistics()));
  }
}

// The side whose failure ends the migration; null if none does. A target that saw its connection
// close knows only that: the source may be dead, which is for the failover to end, so the target's
// word counts alone only in Setup or when the source lives on and says nothing.
const pb::PeerMessage::Report::Transfer* Coordinator::broken_side(
    Decision& decision, TaskId id, const pb::MigrationJob& job,
    const pb::PeerMessage::Report::Transfer* source,
    const pb::PeerMessage::Report::Transfer* target) {
  const LeaderView& view = decision.view;
  if (!lives(view.state, job.source(), job.source_incarnation())) return nullptr;
  if (source != nullptr && source->status() == pb::TRANSFER_FAILED) return source;
  if (target == nullptr || target->status() != pb::TRANSFER_FAILED) return nullptr;
  if (job.phase() == static_cast<std::uint32_t>(MigrationState::kSetup)) return target;
  const Time believed_at =
      target_failed_.try_emplace(id, view.now).first->second + 2 * decision.detection_time;
  return view.now >= believed_at ? target : nullptr;
}

// Whether the pages of the image this VM runs from are still being checked against their counts.
bool Coordinator::verification_open(const ClusterState& state, const pb::Vm& vm) const {
  if (vm.origin() != pb::ORIGIN_IMAGE) return false;
  const pb::Task* task = state.task(vm.image_job());
  if (task == nullptr || !task->complete() ||
      task->job().statistics().digest() != pb::MigrationStatistics::DIGEST_UNKNOWN) {
    return false;
  }
  // A check that was given up says so.
  const auto* target = said(task->job(), task->id(), task->job().target());
  return target == nullptr || target->status() != pb::TRANSFER_VERIFIED ||
         target->statistics().digest() != pb::MigrationStatistics::DIGEST_UNKNOWN;
}

void Coordinator::decide_digest(Decision& decision, const pb::Vm& vm) {
  if (!verification_open(decision.view.state, vm)) return;
  const pb::Task* task = decision.view.state.task(vm.image_job());
  const auto* target = said(task->job(), task->id(), task->job().target());
  if (target == nullptr || target->status() != pb::TRANSFER_VERIFIED) return;
  pb::Command command;
  pb::Command::ReportDigest& digest = *command.mutable_report_digest();
  digest.set_vm(vm.name());
  digest.set_job(task->id());
  digest.set_attempt(task->job().attempt());
  digest.set_match(target->statistics().digest() == pb::MigrationStatistics::DIGEST_MATCH);
  digest.set_detail(target->error());
  propose(decision, "digest/" + vm.name(), std::move(command));
}

void Coordinator::decide_failovers(Decision& decision) {
  const LeaderView& view = decision.view;
  std::optional<Placement> placement;
  pb::Command command;
  pb::Command::Failover& failover = *command.mutable_failover();
  std::vector<std::string> keys;
  for (const std::string& name : orphans_) {
    const pb::Vm* vm = view.state.vm(name);
    if (vm == nullptr || on_their_way_.contains("failover/" + name)) continue;
    const pb::Task* task = view.state.job_of(*vm);
    if (task != nullptr && on_their_way_.contains("job/" + name)) continue;
    const pb::Node* owner = view.state.node(vm->owner());
    const bool proven_dead = owner->fenced() || owner->incarnation() != vm->owner_incarnation();
    const Time lease_ends = view.leases.ends(vm->owner());
    const bool waits = !view.mistakes.has(Mistake::kSkipLeaseWait);
    if (!proven_dead && view.now < lease_ends && waits) {
      next_look_ = std::min(next_look_, lease_ends);
      continue;
    }
    if (!placement.has_value()) placement.emplace(view.state);
    const bool runs = vm->want() != pb::GUEST_ABSENT;
    const auto to = placement->place(runs ? vm->config().memory_bytes() : 0);
    if (!to.has_value()) {
      // Nobody can take it: a migration must not wait for that.
      if (task != nullptr && task->job().phase() != 0) {
        propose(
            decision, "job/" + name,
            abort(task->job(), task->id(), VMTaskResult::kUnexpectedError, Code::kNodeDown,
                  "The source " + node_name(vm->owner()) + " died and no other node has room."));
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
  decision.proposals.push_back({std::move(keys), std::move(command)});
}

// A shorter lease may be relied on by a new leader only when no longer one can be in force: when
// this leader has itself waited the old bound since it saw the shorter setting.
void Coordinator::decide_lease_bound(Decision& decision) {
  const LeaderView& view = decision.view;
  const Duration bound = view.state.cluster().lease_bound_ns();
  if (bound <= decision.detection_time) {
    bound_lowered_since_ = kNever;
    return;
  }
  if (bound_lowered_since_ == kNever) bound_lowered_since_ = view.now;
  if (view.now < bound_lowered_since_ + lengthened(bound)) return;
  pb::Command command;
  command.mutable_lower_lease_bound()->set_from_ns(bound);
  command.mutable_lower_lease_bound()->set_to_ns(decision.detection_time);
  propose(decision, "lease-bound", std::move(command));
}

}  // namespace failsim
