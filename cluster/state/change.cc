#include "cluster/state/change.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/migration/progress.h"
#include "cluster/state/job_row.h"

namespace failsim {

bool same_epoch(const pb::Epoch& a, const pb::Epoch& b) {
  return a.recovery() == b.recovery() && a.counter() == b.counter();
}

Epoch epoch_of(const pb::Epoch& epoch) {
  return {epoch.recovery(), epoch.counter()};
}

void set_epoch(pb::Epoch* to, const Epoch& epoch) {
  to->set_recovery(epoch.recovery);
  to->set_counter(epoch.counter);
}

VmState state_of(const pb::Vm& vm) {
  const auto state = vm_state_of(vm.state());
  assert(state.has_value());
  return *state;
}

const Plan& plan_under_way(const pb::Vm& vm) {
  assert(vm.has_operation());
  const auto method = vm_method_of(vm.operation().method());
  const auto from = vm_state_of(vm.operation().from_state());
  assert(method.has_value());
  assert(from.has_value());
  return *plan_of(*method, *from, vm.name()).value();
}

bool is_restoring(const pb::Vm& vm) {
  return vm.has_operation() && plan_under_way(vm).method == VmMethod::kStartUp &&
         plan_under_way(vm).from == VmState::kSaved;
}

EventBuilder::EventBuilder(Change& change, std::string_view kind, std::string object, NodeId node)
    : change_(change) {
  record_.set_kind(std::string(kind));
  record_.set_object(std::move(object));
  record_.set_node(node);
}

EventBuilder::~EventBuilder() {
  change_.add(std::move(record_));
}

pb::EventRecord::Field& EventBuilder::field(std::string_view name) {
  pb::EventRecord::Field& field = *record_.add_fields();
  field.set_name(std::string(name));
  return field;
}

EventBuilder& EventBuilder::text(std::string_view name, std::string_view value) {
  field(name).set_text(std::string(value));
  return *this;
}

EventBuilder& EventBuilder::number(std::string_view name, std::uint64_t value) {
  field(name).set_number(value);
  return *this;
}

EventBuilder& EventBuilder::flag(std::string_view name, bool value) {
  field(name).set_flag(value);
  return *this;
}

EventBuilder& EventBuilder::named(std::string_view name, std::uint32_t value,
                                  std::string_view value_name) {
  pb::EventRecord::Named& named = *field(name).mutable_named();
  named.set_value(value);
  named.set_name(std::string(value_name));
  return *this;
}

Change::Change(ClusterState& state, const pb::Command& command, Index index, Mistakes mistakes)
    : state_(state), command_(command), index_(index), mistakes_(mistakes) {
  pb::Cluster cluster = state_.cluster();
  cluster.set_time_ns(std::max<std::int64_t>(cluster.time_ns(), command.cluster_time_ns()));
  state_.put(std::move(cluster));
}

void Change::add(pb::EventRecord record) {
  pb::Cluster cluster = state_.cluster();
  cluster.set_last_event(cluster.last_event() + 1);
  record.set_number(cluster.last_event());
  record.set_wall_time_ns(command_.wall_time_ns());
  applied_.events.push_back(record.number());
  state_.put(std::move(record));
  while (cluster.last_event() - cluster.first_event() >= kEventsKept) {
    state_.erase_event(cluster.first_event());
    cluster.set_first_event(cluster.first_event() + 1);
  }
  state_.put(std::move(cluster));
}

EventBuilder Change::event(std::string_view kind, std::string object, NodeId node) {
  return EventBuilder(*this, kind, std::move(object), node);
}

EventBuilder Change::vm_event(std::string_view kind, const pb::Vm& vm) {
  return EventBuilder(*this, kind, "vm/" + vm.name(), vm.owner());
}

void Change::put(pb::Vm vm) {
  applied_.vms.insert(vm.name());
  state_.put(std::move(vm));
}

void Change::put(pb::Node node) {
  applied_.nodes = true;
  note_slots();
  state_.put(std::move(node));
}

Epoch Change::next_epoch() {
  pb::Cluster cluster = state_.cluster();
  cluster.set_grant_counter(cluster.grant_counter() + 1);
  const Epoch epoch{cluster.recovery_epoch(), cluster.grant_counter()};
  state_.put(std::move(cluster));
  return epoch;
}

std::uint64_t Change::next_boot_id() {
  pb::Cluster cluster = state_.cluster();
  cluster.set_boot_counter(cluster.boot_counter() + 1);
  const std::uint64_t boot = cluster.boot_counter();
  state_.put(std::move(cluster));
  return boot;
}

TaskId Change::create_task(std::string_view kind, std::string object) {
  pb::Cluster cluster = state_.cluster();
  cluster.set_last_task(cluster.last_task() + 1);
  pb::Task task;
  task.set_id(cluster.last_task());
  task.set_kind(std::string(kind));
  task.set_object(std::move(object));
  task.set_created_wall_ns(command_.wall_time_ns());
  state_.put(std::move(cluster));
  const TaskId id = task.id();
  state_.put(std::move(task));
  return id;
}

void Change::progress(TaskId id, std::uint32_t percent) {
  const pb::Task* task = id == 0 ? nullptr : state_.task(id);
  if (task == nullptr || task->complete()) return;
  pb::Task row = *task;
  row.set_progress(std::max(row.progress(), std::min<std::uint32_t>(percent, 100)));
  state_.put(std::move(row));
}

void Change::complete(TaskId id, VMTaskResult result, const Error& error) {
  const pb::Task* task = id == 0 ? nullptr : state_.task(id);
  if (task == nullptr) return;
  assert(!task->complete());
  pb::Task row = *task;
  row.set_complete(true);
  row.set_result(static_cast<std::uint32_t>(result));
  if (result == VMTaskResult::kSuccess) row.set_progress(100);
  row.set_error(static_cast<std::uint32_t>(error.code));
  row.set_error_message(error.message);
  row.set_error_next(error.next);
  row.set_ended_wall_ns(command_.wall_time_ns());
  event("task", row.object())
      .number("task", row.id())
      .text("task_kind", row.kind())
      .named("result", row.result(), name(result));
  state_.put(std::move(row));
  // Ended tasks beyond the bound go, oldest first; a job has its time until then.
  if (state_.tasks().size() > kTasksKept) {
    for (const auto& [old, oldest] : state_.tasks()) {
      const bool is_kept = oldest->has_job() && oldest->job().ended_ns() != 0 &&
                           cluster_time() < oldest->job().ended_ns() + kJobsKeptFor;
      if (!oldest->complete() || is_kept) continue;
      state_.erase_task(old);
      break;
    }
  }
}

void Change::set_migration_state(const pb::Vm& vm, MigrationState to, TaskId job) {
  const MigrationState from = state_.migration_state(vm.name());
  if (from == to) return;
  state_.put_property(ObjectKind::kVm, vm.name(), "MigrationState",
                      Value::dword(static_cast<std::uint32_t>(to)));
  applied_.vms.insert(vm.name());
  vm_event("migration-state", vm)
      .text("vm", vm.name())
      .named("from", static_cast<std::uint32_t>(from), name(from))
      .named("to", static_cast<std::uint32_t>(to), name(to))
      .number("job_id", job);
}

void Change::set_failure_reason(const std::string& vm, MigrationFailure reason) {
  const Value before = state_.property(ObjectKind::kVm, vm, "MigrationFailureReason");
  if (before.number() == static_cast<std::uint32_t>(reason)) return;
  state_.put_property(ObjectKind::kVm, vm, "MigrationFailureReason",
                      Value::dword(static_cast<std::uint32_t>(reason)));
}

void Change::announce(pb::Vm& vm, VmState to) {
  const VmState from = state_of(vm);
  vm.set_state(static_cast<std::uint32_t>(to));
  vm_event("vm-state", vm)
      .text("vm", vm.name())
      .named("from", static_cast<std::uint32_t>(from), name(from))
      .named("to", vm.state(), name(to));
}

void Change::begin(pb::Vm& vm, VmMethod method, TaskId task) {
  assert(!vm.has_operation());
  const Plan& plan = *plan_of(method, state_of(vm), vm.name()).value();
  pb::Vm::Operation& operation = *vm.mutable_operation();
  operation.set_method(static_cast<std::uint32_t>(method));
  operation.set_from_state(vm.state());
  operation.set_task(task);
  enter_step(vm, plan, 0);
}

void Change::enter_step(pb::Vm& vm, const Plan& plan, std::uint32_t number) {
  assert(number < plan.steps.size());
  const Step& step = plan.steps[number];
  const auto announces = [&](VmState state) {
    return std::find(step.events.begin(), step.events.end(), state) != step.events.end();
  };
  for (const VmState state : step.events) announce(vm, state);
  vm.set_want(static_cast<pb::GuestWant>(step.want));
  if (announces(VmState::kRestoring)) {
    vm.set_origin(pb::ORIGIN_SAVED_STATE);
  } else if (announces(VmState::kTurningOn)) {
    vm.set_origin(pb::ORIGIN_FRESH);
    vm.set_boot_id(next_boot_id());
  }
  const TaskId task = vm.operation().task();
  if (step.wait != GuestCondition::kNone) {
    vm.mutable_operation()->set_step(number);
    progress(task, number * 100 / static_cast<std::uint32_t>(plan.steps.size()));
    return;
  }
  assert(number + 1 == plan.steps.size());
  vm.set_state(static_cast<std::uint32_t>(plan.final_state));
  vm.set_has_saved_state(plan.final_state == VmState::kSaved);
  vm.clear_operation();
  complete(task, VMTaskResult::kSuccess);
}

void Change::abandon(pb::Vm& vm, VMTaskResult result, const Error& error) {
  if (!vm.has_operation()) return;
  const TaskId task = vm.operation().task();
  vm.clear_operation();
  complete(task, result, error);
}

void keep_statistics(pb::MigrationJob& job, const pb::MigrationStatistics& statistics) {
  if (statistics.rounds() == 0 && statistics.bytes_sent() == 0) return;
  *job.mutable_statistics() = statistics;
}

void keep_rounds(pb::MigrationJob& job,
                 const google::protobuf::RepeatedPtrField<pb::MigrationRound>& rounds) {
  auto& kept = *job.mutable_rounds();
  for (const pb::MigrationRound& round : rounds) {
    if (kept.empty() || round.number() > kept.rbegin()->number()) *kept.Add() = round;
  }
  if (kept.size() > kRoundsKept) kept.DeleteSubrange(0, kept.size() - kRoundsKept);
}

namespace {

// MigrationState and the task's end tell of the rest.
bool is_told(const pb::MigrationJob& job, JobState from, JobState to, Index now) {
  if (is_finished(to)) return false;
  if (from == JobState::kNew) return job.queued_index() != now;
  if (from == JobState::kStarting && to == JobState::kRunning) {
    return job.phase() == static_cast<std::uint32_t>(MigrationState::kDataTransfer);
  }
  return true;
}

}  // namespace

void Change::set_job_state(pb::Task& task, JobState to) {
  pb::MigrationJob& job = *task.mutable_job();
  const JobState from = *job_state_of(job.job_state());
  if (from == to) return;
  assert(job_may_come(from, to) || makes(Mistake::kApplyUnguarded));
  job.set_job_state(static_cast<std::uint32_t>(to));
  job.set_state_changed_ns(cluster_time());
  applied_.vms.insert(job.vm());
  if (!is_told(job, from, to, index_)) return;
  event("job-state", "vm/" + job.vm(), job.source())
      .text("vm", job.vm())
      .number("job_id", task.id())
      .named("from", static_cast<std::uint32_t>(from), name(from))
      .named("to", static_cast<std::uint32_t>(to), name(to));
}

void Change::end_migration(pb::Vm& vm, MigrationState outcome, JobState job_state,
                           VMTaskResult result, const Error& error, bool restarted_elsewhere) {
  const pb::Task* task = state_.job_of(vm);
  assert(task != nullptr);
  pb::Task row = *task;
  pb::MigrationJob& job = *row.mutable_job();
  // What was accepted stays so, whatever ends it first.
  if (standing_of(job).state == JobState::kShuttingDown && outcome == MigrationState::kFailure) {
    outcome = MigrationState::kCanceled;
    job_state = JobState::kTerminated;
    result = VMTaskResult::kCancelled;
  }
  job.set_phase(static_cast<std::uint32_t>(outcome));
  for (const pb::Command::Observed& observed : command_.observed()) {
    if (observed.job() != row.id()) continue;
    keep_statistics(job, observed.statistics());
    keep_rounds(job, observed.rounds());
    const std::uint32_t percent =
        percent_sent(observed.statistics().bytes_sent(), observed.statistics().remaining_bytes());
    row.set_progress(std::max(row.progress(), std::min(percent, kProgressAtMove)));
  }
  set_job_state(row, job_state);
  close_requests(job, job_state, cluster_time());
  job.set_ended_ns(cluster_time());
  note_slots();
  job.mutable_statistics()->set_total_ns(cluster_time() - job.started_ns());
  job.set_restarted_elsewhere(restarted_elsewhere);
  job.set_phase_deadline_ns(0);
  const bool failed = outcome == MigrationState::kFailure;
  if (failed) job.set_failure_reason(static_cast<std::uint32_t>(MigrationFailure::kFailed));
  const TaskId id = row.id();
  state_.put(std::move(row));
  vm.set_job(0);
  set_migration_state(vm, outcome, id);
  set_failure_reason(vm.name(), failed ? MigrationFailure::kFailed : MigrationFailure::kNone);
  complete(id, result, error);
}

pb::Reply& Change::accept(TaskId task) {
  pb::Reply& reply = applied_.reply.emplace();
  reply.set_task(task);
  reply.set_index(index_);
  return reply;
}

void Change::refuse(const Error& error) {
  pb::Reply& reply = applied_.reply.emplace();
  reply.set_code(static_cast<std::uint32_t>(error.code));
  reply.set_message(error.message);
  reply.set_next(error.next);
  reply.set_index(index_);
}

}  // namespace failsim
