// A live migration, as the log sees it: Setup, Data Transfer, Move, and how it ends.
//
// The job is the truth and MigrationState a view of it. The first of Complete and Abort in the log
// wins; a cancel before the Move entry wins and one after it is refused.

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/migration/post_copy.h"
#include "cluster/state/change.h"
#include "cluster/state/object_name.h"
#include "cluster/state/planned_migration.h"

namespace failsim {
namespace {

std::int64_t deadline(const pb::MigrationJob& job, Duration now, Duration phase_limit) {
  std::int64_t deadline = phase_limit == 0 ? 0 : now + phase_limit;
  const Duration own_limit = job.parameters().timeout_ns();
  if (own_limit != 0) {
    const std::int64_t end = job.started_ns() + own_limit;
    deadline = deadline == 0 ? end : std::min(deadline, end);
  }
  return deadline;
}

// The VM and task of the job a command names, if the attempt is in flight; otherwise too late.
struct InFlight {
  pb::Vm vm;
  pb::Task task;
};

template <typename Command>
std::optional<InFlight> in_flight(Change& change, const Command& command) {
  const bool compares = !change.makes(Mistake::kApplyUnguarded);
  const pb::Vm* vm = change.state().vm(command.vm());
  const pb::Task* task = vm == nullptr ? nullptr
                         : compares    ? change.state().job_of(*vm)
                                       : change.state().task(command.job());
  const bool stands =
      task != nullptr && task->id() == command.job() && task->job().attempt() == command.attempt();
  if (!stands) {
    change.too_late();
    return std::nullopt;
  }
  return InFlight{*vm, *task};
}

void cancel(Change& change, const pb::Vm& found, JobState ends_in) {
  pb::Vm vm = found;
  const TaskId job = vm.job();
  if (change.makes(Mistake::kLoseCancel) &&
      change.state().migration_state(vm.name()) == MigrationState::kDataTransfer) {
    change.accept(job);
    return;
  }
  change.end_migration(vm, MigrationState::kCanceled, ends_in, VMTaskResult::kCancelled,
                       {Code::kOperationAborted,
                        "The migration of VM '" + vm.name() + "' was canceled; the VM runs on " +
                            node_name(vm.owner()) + ".",
                        ""},
                       false);
  change.put(std::move(vm));
  change.accept(job);
}

}  // namespace

void apply_migrate(Change& change, const pb::Request::Migrate& request) {
  ClusterState& state = change.state();
  if (const auto error = migration_refused(state, request)) return change.refuse(*error);

  pb::Vm vm = *state.vm(request.vm());
  const TaskId id = change.create_task("migrate", "vm/" + vm.name());
  pb::Task task = *state.task(id);
  pb::MigrationJob& job = *task.mutable_job();
  job.set_vm(vm.name());
  job.set_source(vm.owner());
  job.set_target(request.target());
  job.set_source_incarnation(vm.owner_incarnation());
  job.set_target_incarnation(state.node(request.target())->incarnation());
  job.set_attempt(change.index());
  *job.mutable_epoch() = vm.epoch();
  job.set_phase(static_cast<std::uint32_t>(MigrationState::kSetup));
  job.set_job_state(static_cast<std::uint32_t>(JobState::kStarting));
  *job.mutable_parameters() = request.parameters();
  job.set_started_ns(change.cluster_time());
  job.set_phase_deadline_ns(deadline(job, change.cluster_time(), kSetupLimit));
  state.put(std::move(task));
  vm.set_job(id);
  change.set_failure_reason(vm.name(), MigrationFailure::kNone);
  change.set_migration_state(vm, MigrationState::kSetup, id);
  change.put(std::move(vm));
  change.accept(id);
}

void apply_cancel_migration(Change& change, const pb::Request::CancelMigration& request) {
  const pb::Vm* vm = change.state().vm(request.vm());
  if (vm == nullptr) return change.refuse(no_such_vm(request.vm()));
  const pb::Task* task = change.state().job_of(*vm);
  const MigrationState phase =
      task == nullptr ? MigrationState::kNoMigration : *migration_state_of(task->job().phase());
  if (const auto error = cancel_refused(phase, vm->name())) return change.refuse(*error);
  cancel(change, *vm, JobState::kTerminated);
}

void apply_request_state_change(Change& change, const pb::Request::RequestStateChange& request) {
  const pb::Task* task = change.state().task(request.job());
  if (task == nullptr || !task->has_job()) {
    return change.refuse({Code::kNotFound,
                          "There is no migration job " + std::to_string(request.job()) + ".",
                          "See 'failsim migrate list'."});
  }
  const JobState state = *job_state_of(task->job().job_state());
  const MigrationState phase = *migration_state_of(task->job().phase());
  const JobAnswer reply = answer(state, request.requested_state(), phase);
  if (reply.action != JobAction::kNone) {
    pb::Task row = *task;
    row.mutable_job()->set_requested_state(request.requested_state());
    const pb::Vm* vm = change.state().vm(row.job().vm());
    assert(vm != nullptr);  // a VM with a job in flight cannot be deleted
    assert(vm->job() == row.id());
    change.state().put(std::move(row));
    const bool orderly = reply.action == JobAction::kCancelOrderly;
    cancel(change, *vm, orderly ? JobState::kTerminated : JobState::kKilled);
  } else {
    change.accept(task->id());
  }
  const pb::Task* after = change.state().task(request.job());
  change.applied().reply->set_return_value(static_cast<std::uint32_t>(reply.value));
  change.applied().reply->set_job_state(after->job().job_state());
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

void apply_advance_migration(Change& change, const pb::Command::AdvanceMigration& command) {
  std::optional<InFlight> job_of = in_flight(change, command);
  if (!job_of.has_value()) return;
  pb::MigrationJob& job = *job_of->task.mutable_job();
  const bool stands = job.phase() == command.from_phase() || change.makes(Mistake::kApplyUnguarded);
  if (!stands) return change.too_late();
  const MigrationState to = *migration_state_of(command.to_phase());
  assert(engine_may_move(*migration_state_of(job.phase()), to));
  job.set_phase(command.to_phase());
  job.set_job_state(static_cast<std::uint32_t>(JobState::kRunning));
  keep_statistics(job, command.statistics());
  const bool moving = to == MigrationState::kMove;
  if (moving) job.set_move_index(change.index());
  if (moving) job.set_post_copy(command.post_copy());
  job.set_phase_deadline_ns(deadline(job, change.cluster_time(), moving ? kMoveLimit : 0));
  const TaskId id = job_of->task.id();
  change.state().put(std::move(job_of->task));
  change.progress(id, moving ? 90 : 5);
  change.set_migration_state(job_of->vm, to, id);
}

void apply_report_not_converging(Change& change, const pb::Command::ReportNotConverging& command) {
  std::optional<InFlight> job_of = in_flight(change, command);
  if (!job_of.has_value()) return;
  pb::MigrationJob& job = *job_of->task.mutable_job();
  const bool is_news = job.phase() == static_cast<std::uint32_t>(MigrationState::kDataTransfer) &&
                       job.statistics().not_converging().empty();
  if (!is_news) return change.too_late();
  keep_statistics(job, command.statistics());
  const TaskId id = job_of->task.id();
  change.state().put(std::move(job_of->task));
  change.vm_event("not-converging", job_of->vm)
      .text("vm", job_of->vm.name())
      .number("job_id", id)
      .text("detail", command.statistics().not_converging());
}

// Of a post-copy: the target owns the VM since Complete, and now has all of its memory.
void apply_pages_complete(Change& change, const pb::Command::PagesComplete& command) {
  std::optional<InFlight> job_of = in_flight(change, command);
  if (!job_of.has_value()) return;
  pb::MigrationJob& job = *job_of->task.mutable_job();
  if (!pages_follow(job_of->vm, job_of->task)) return change.too_late();
  job.set_phase(0);
  job.set_phase_deadline_ns(0);
  keep_statistics(job, command.statistics());
  const TaskId id = job_of->task.id();
  const pb::MigrationStatistics statistics = job.statistics();
  change.state().put(std::move(job_of->task));
  change.vm_event("pages-complete", job_of->vm)
      .text("vm", job_of->vm.name())
      .number("job_id", id)
      .number("followed_pages", statistics.followed_pages())
      .number("requested_pages", statistics.requested_pages())
      .number("stalled_us", static_cast<std::uint64_t>(statistics.stalled_ns() / 1000));
  change.set_migration_state(job_of->vm, MigrationState::kNoMigration, id);
  change.progress(id, 97);
}

void apply_keep_rounds(Change& change, const pb::Command::KeepRounds& command) {
  std::optional<InFlight> job_of = in_flight(change, command);
  if (!job_of.has_value()) return;
  keep_rounds(*job_of->task.mutable_job(), command.rounds());
  change.state().put(std::move(job_of->task));
}

void apply_complete_migration(Change& change, const pb::Command::CompleteMigration& command) {
  std::optional<InFlight> job_of = in_flight(change, command);
  if (!job_of.has_value()) return;
  pb::MigrationJob& job = *job_of->task.mutable_job();
  const pb::Node* target = change.state().node(job.target());
  const bool stands = job.phase() == static_cast<std::uint32_t>(MigrationState::kMove) &&
                      !pages_follow(job_of->vm, job_of->task) &&
                      job.target_incarnation() == command.target_incarnation() &&
                      target->incarnation() == command.target_incarnation() && !target->fenced();
  const bool names_process = !change.makes(Mistake::kCompleteWithoutIncarnation);
  if (!stands && names_process) return change.too_late();

  pb::Vm vm = job_of->vm;
  const bool follow = job.post_copy();
  if (follow) {
    job.set_phase_deadline_ns(change.cluster_time() +
                              post_copy_limit(vm.config(), job.parameters()));
  } else {
    job.set_phase(0);
    job.set_phase_deadline_ns(0);
  }
  keep_statistics(job, command.statistics());
  const TaskId id = job_of->task.id();
  const std::uint64_t attempt = job.attempt();
  const std::uint64_t missing_bytes = job.statistics().remaining_bytes();
  const NodeId source = vm.owner();
  change.state().put(std::move(job_of->task));
  set_epoch(vm.mutable_epoch(), change.next_epoch());
  vm.set_owner(target->id());
  vm.set_owner_incarnation(names_process ? command.target_incarnation() : target->incarnation());
  vm.set_origin(pb::ORIGIN_IMAGE);
  vm.set_image_job(id);
  vm.set_image_attempt(attempt);
  change.vm_event("owner", vm)
      .text("vm", vm.name())
      .text("from", node_name(source))
      .text("to", target->name())
      .text("epoch", to_string(epoch_of(vm.epoch())))
      .text("reason", "live migration");
  if (follow) {
    change.vm_event("post-copy", vm)
        .text("vm", vm.name())
        .number("job_id", id)
        .text("from", node_name(source))
        .number("missing_bytes", missing_bytes);
  } else {
    change.set_migration_state(vm, MigrationState::kNoMigration, id);
  }
  change.progress(id, 95);
  change.put(std::move(vm));
}

void apply_abort_migration(Change& change, const pb::Command::AbortMigration& command) {
  std::optional<InFlight> job_of = in_flight(change, command);
  if (!job_of.has_value()) return;
  const std::uint32_t phase = job_of->task.job().phase();
  const bool stands = phase == command.phase() || change.makes(Mistake::kApplyUnguarded);
  if (phase == 0 || !stands) return change.too_late();
  // Pages that are given up: the target stops the guest, which is then started from its disk.
  const bool is_memory_lost = pages_follow(job_of->vm, job_of->task);
  const auto result = task_result_of(command.task_result());
  change.end_migration(
      job_of->vm, MigrationState::kFailure, JobState::kException,
      result.value_or(VMTaskResult::kUnexpectedError),
      {static_cast<Code>(command.error()), command.message(), "See 'failsim events'."},
      is_memory_lost);
  change.put(std::move(job_of->vm));
}

void apply_finish_migration(Change& change, const pb::Command::FinishMigration& command) {
  std::optional<InFlight> job_of = in_flight(change, command);
  if (!job_of.has_value()) return;
  if (job_of->task.job().phase() != 0) return change.too_late();
  pb::MigrationJob& job = *job_of->task.mutable_job();
  keep_statistics(job, command.statistics());
  job.mutable_statistics()->set_total_ns(change.cluster_time() - job.started_ns());
  job.set_job_state(static_cast<std::uint32_t>(JobState::kCompleted));
  job.set_ended_ns(change.cluster_time());
  pb::Vm vm = job_of->vm;
  vm.set_job(0);
  const TaskId id = job_of->task.id();
  const pb::MigrationStatistics statistics = job.statistics();
  change.state().put(std::move(job_of->task));
  change.vm_event("migrated", vm)
      .text("vm", vm.name())
      .number("job_id", id)
      .number("rounds", statistics.rounds())
      .number("bytes_sent", statistics.bytes_sent())
      .number("downtime_us", static_cast<std::uint64_t>(statistics.downtime_ns() / 1000));
  change.put(std::move(vm));
  change.complete(id, VMTaskResult::kSuccess);
}

void apply_report_digest(Change& change, const pb::Command::ReportDigest& command) {
  const pb::Task* task = change.state().task(command.job());
  const bool stands = task != nullptr && task->has_job() &&
                      task->job().attempt() == command.attempt() && task->job().phase() == 0 &&
                      task->job().statistics().digest() == pb::MigrationStatistics::DIGEST_UNKNOWN;
  if (!stands) return change.too_late();
  pb::Task row = *task;
  row.mutable_job()->mutable_statistics()->set_digest(
      command.match() ? pb::MigrationStatistics::DIGEST_MATCH
                      : pb::MigrationStatistics::DIGEST_MISMATCH);
  change.event("digest", "vm/" + command.vm(), row.job().target())
      .text("vm", command.vm())
      .number("job_id", command.job())
      .flag("match", command.match())
      .text("detail", command.detail());
  change.applied().vms.insert(command.vm());
  change.state().put(std::move(row));
}

}  // namespace failsim
