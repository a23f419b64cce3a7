// What people ask of a migration that is there: RequestStateChange, cancel.

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/migration/job_refusal.h"
#include "cluster/state/change.h"
#include "cluster/state/job_row.h"
#include "cluster/state/object_name.h"

namespace failsim {
namespace {

Error was_canceled(const pb::Vm& vm) {
  return {Code::kOperationAborted,
          "The migration of VM '" + vm.name() + "' was canceled; the VM runs on " +
              node_name(vm.owner()) + ".",
          ""};
}

Error has_not_begun(const std::string& vm) {
  return {Code::kInvalidState,
          "The migration of VM '" + vm + "' waits for its turn and has not begun.",
          "Take it out of the queue: 'failsim migrate cancel " + vm + "'."};
}

// MigrationState is what it was left at, or what somebody has written to it.
Error nothing_to_cancel(const ClusterState& state, const std::string& vm) {
  return {Code::kInvalidState,
          "Cannot cancel the migration of VM '" + vm + "': there is none under way, and its " +
              "MigrationState is " + std::string(name(state.migration_state(vm))) + ".",
          state.last_migration(vm) == nullptr
              ? "See which VMs are being migrated: 'failsim migrate list'."
              : "See how the latest one ended: 'failsim migrate show " + vm + "'."};
}

// For tests of the checkers: it is said to be canceled, and goes on.
bool loses_cancel(const Change& change, const pb::MigrationJob& job) {
  return change.makes(Mistake::kLoseCancel) &&
         job.phase() == static_cast<std::uint32_t>(MigrationState::kDataTransfer);
}

void cancel_at_once(Change& change, const pb::Vm& found, JobState ends_in) {
  pb::Vm vm = found;
  if (loses_cancel(change, change.state().job_of(vm)->job())) return;
  change.end_migration(vm, MigrationState::kCanceled, ends_in, VMTaskResult::kCancelled,
                       was_canceled(vm), false);
  change.put(std::move(vm));
}

// The leader ends it when the source stands still, or when the time for that is over.
void begin_to_shut_down(Change& change, pb::Task task) {
  pb::MigrationJob& job = *task.mutable_job();
  if (loses_cancel(change, job)) return;
  const std::int64_t ends = change.cluster_time() + kShutdownLimit;
  const std::int64_t before = job.phase_deadline_ns();
  job.set_phase_deadline_ns(before == 0 ? ends : std::min(before, ends));
  change.set_job_state(task, JobState::kShuttingDown);
  change.state().put(std::move(task));
}

void cancel(Change& change, const pb::Task& task, JobState ends_in) {
  const pb::Vm* vm = change.state().vm(task.job().vm());
  assert(vm != nullptr);  // a VM is deleted with its waiting job, and not with one in flight
  if (waits_for_its_turn(task.job())) {
    end_waiting_migration(change, *vm, MigrationState::kCanceled, ends_in, VMTaskResult::kCancelled,
                          was_canceled(*vm));
  } else {
    cancel_at_once(change, *vm, ends_in);
  }
}

void perform(Change& change, pb::Task task, JobAction action) {
  const TaskId id = task.id();
  pb::MigrationJob& job = *task.mutable_job();
  const bool waits = waits_for_its_turn(job);
  change.applied().vms.insert(job.vm());
  switch (action) {
    case JobAction::kHold:
      change.set_job_state(task, JobState::kService);
      settle_requests(job, "Done.", change.cluster_time());
      break;
    case JobAction::kResume:
      if (stands_still(standing_of(job).state)) {
        change.set_job_state(task, JobState::kStarting);
      } else {
        settle_requests(job, "Done: the transfer had not come to rest yet.", change.cluster_time());
      }
      break;
    case JobAction::kCancelOrderly:
      if (!waits) return begin_to_shut_down(change, std::move(task));
      change.state().put(std::move(task));
      return cancel(change, *change.state().task(id), JobState::kTerminated);
    case JobAction::kCancelAtOnce:
      change.state().put(std::move(task));
      return cancel(change, *change.state().task(id), JobState::kKilled);
    case JobAction::kNone:
    case JobAction::kSuspend:
      break;
  }
  change.state().put(std::move(task));
}

}  // namespace

void end_waiting_migration(Change& change, const pb::Vm& vm, MigrationState outcome,
                           JobState ends_in, VMTaskResult result, const Error& error) {
  const pb::Task* found = change.state().open_migration(vm);
  if (found == nullptr || !waits_for_its_turn(found->job())) return;
  pb::Task task = *found;
  pb::MigrationJob& job = *task.mutable_job();
  job.set_phase(static_cast<std::uint32_t>(outcome));
  change.set_job_state(task, ends_in);
  close_requests(job, ends_in, change.cluster_time());
  job.set_queued_index(0);
  job.set_ended_ns(change.cluster_time());
  if (outcome == MigrationState::kFailure) {
    job.set_failure_reason(static_cast<std::uint32_t>(MigrationFailure::kFailed));
    change.set_failure_reason(vm.name(), MigrationFailure::kFailed);
  }
  const TaskId id = task.id();
  change.note_slots();  // they may have been kept for it
  change.state().put(std::move(task));
  change.complete(id, result, error);
}

void apply_cancel_migration(Change& change, const pb::Request::CancelMigration& request) {
  const pb::Vm* vm = change.state().vm(request.vm());
  if (vm == nullptr) return change.refuse(no_such_vm(request.vm()));
  const pb::Task* task = change.state().open_migration(*vm);
  if (task == nullptr) return change.refuse(nothing_to_cancel(change.state(), vm->name()));
  const JobStanding standing = standing_of(task->job());
  const bool waits = standing.state == JobState::kNew;
  if (waits && request.only_begun()) return change.refuse(has_not_begun(vm->name()));
  if (!waits) {
    const auto error = cancel_refused(standing.phase, vm->name());
    if (error.has_value()) return change.refuse(*error);
  }
  const TaskId id = task->id();
  if (standing.state != JobState::kShuttingDown) cancel(change, *task, JobState::kTerminated);
  change.accept(id).set_job_state(change.state().task(id)->job().job_state());
}

void apply_request_state_change(Change& change, const pb::Request::RequestStateChange& request) {
  const pb::Task* found = change.state().task(request.job());
  if (found == nullptr || !found->has_job()) {
    return change.refuse({Code::kNotFound,
                          "There is no migration job " + std::to_string(request.job()) + ".",
                          "See 'failsim job list'."});
  }
  const TaskId id = found->id();
  const JobStanding standing = standing_of(found->job());
  const JobAnswer given = answer(standing, request.requested_state());
  if (!is_finished(standing.state)) {
    pb::Task task = *found;
    note_request(*task.mutable_job(), request.requested_state(), given, change.cluster_time(),
                 request.timeout_ns());
    perform(change, std::move(task), given.action);
  }
  pb::Reply& reply = change.accept(id);
  reply.set_return_value(static_cast<std::uint32_t>(given.value));
  if (given.value != ReturnValue::kCompleted) {  // an answer of the job, no error of the request
    const Error why = state_change_refused(standing, request.requested_state());
    reply.set_message(why.message);
    reply.set_next(why.next);
  }
  reply.set_job_state(change.state().task(id)->job().job_state());
}

void apply_cancel_task(Change& change, const pb::Request::CancelTask& request) {
  const pb::Task* task = change.state().task(request.task());
  if (task == nullptr) {
    return change.refuse({Code::kNotFound,
                          "There is no task " + std::to_string(request.task()) + ".",
                          "See 'failsim task list'."});
  }
  if (task->has_job() && !task->complete()) {
    pb::Request::CancelMigration migration;
    migration.set_vm(task->job().vm());
    return apply_cancel_migration(change, migration);
  }
  change.refuse({Code::kInvalidState,
                 "Task " + std::to_string(task->id()) + " (" + task->kind() + " of " +
                     task->object() + ") " +
                     (task->complete() ? "has ended." : "cannot be canceled."),
                 "Only a migration that has not reached Move can be canceled."});
}

}  // namespace failsim
