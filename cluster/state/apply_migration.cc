// A live migration, as the log sees it: Setup, Data Transfer, Move, and how it ends.
//
// The job is the truth and MigrationState a view of it. The first of Complete and Abort in the log
// wins; a cancel before the Move entry wins and one after it is refused.

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/migration/post_copy.h"
#include "cluster/migration/progress.h"
#include "cluster/migration/transfer_rate.h"
#include "cluster/state/change.h"
#include "cluster/state/job_row.h"
#include "cluster/state/migration_check.h"
#include "cluster/state/migration_queue.h"
#include "cluster/state/object_name.h"
#include "cluster/state/planned_migration.h"
#include "cluster/state/post_copy_deadline.h"

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

// What was checked when it was asked for may have changed while it waited.
std::vector<FailedCheck> failed_at_its_turn(ClusterState& state, const pb::Task& waiting) {
  pb::Task turned = waiting;
  // It does not stand in its own way.
  turned.mutable_job()->set_job_state(static_cast<std::uint32_t>(JobState::kStarting));
  state.put(std::move(turned));
  const pb::MigrationJob& job = waiting.job();
  std::vector<FailedCheck> failed = failed_checks(state, *state.vm(job.vm()), job.target(), "");
  state.put(waiting);
  return failed;
}

// People are told why.
void wait_for_turn(Change& change, TaskId id) {
  pb::Task task = *change.state().task(id);
  note_request(*task.mutable_job(), static_cast<std::uint32_t>(RequestedState::kStart),
               {ReturnValue::kCompleted, JobAction::kResume}, change.cluster_time(), 0);
  change.event("queued", "vm/" + task.job().vm(), task.job().source())
      .text("vm", task.job().vm())
      .number("job_id", id)
      .text("detail", why_it_waits(change.state(), task));
  change.state().put(std::move(task));
}

}  // namespace

void apply_migrate(Change& change, const pb::Request::Migrate& request) {
  ClusterState& state = change.state();
  if (const auto error = migration_refused(state, request)) {
    if (error->code == Code::kClusterBusy) {
      change.set_failure_reason(request.vm(), MigrationFailure::kBusy);
    }
    return change.refuse(*error);
  }
  const pb::Vm& vm = *state.vm(request.vm());
  const TaskId id = change.create_task("migrate", "vm/" + vm.name());
  pb::Task task = *state.task(id);
  pb::MigrationJob& job = *task.mutable_job();
  job.set_vm(vm.name());
  job.set_source(vm.owner());
  job.set_target(request.target());
  job.set_source_incarnation(vm.owner_incarnation());
  *job.mutable_epoch() = vm.epoch();
  job.set_job_state(static_cast<std::uint32_t>(JobState::kNew));
  job.set_state_changed_ns(change.cluster_time());
  job.set_queued_index(change.index());
  *job.mutable_parameters() = request.parameters();
  state.put(task);
  change.applied().vms.insert(vm.name());
  begin_waiting_migrations(change);
  if (state.waiting_jobs().contains(id)) wait_for_turn(change, id);
  change.accept(id).set_job_state(state.task(id)->job().job_state());
}

bool begin_migration(Change& change, TaskId id) {
  ClusterState& state = change.state();
  pb::Task task = *state.task(id);
  pb::MigrationJob& job = *task.mutable_job();
  pb::Vm vm = *state.vm(job.vm());
  if (const auto failed = failed_at_its_turn(state, task); !failed.empty()) {
    const Error error = joined(failed);
    const bool no_memory = error.code == Code::kNoSystemResources;
    end_waiting_migration(
        change, vm, MigrationState::kFailure, JobState::kException,
        no_memory ? VMTaskResult::kOutOfMemoryError : VMTaskResult::kUnexpectedError, error);
    return false;
  }
  job.set_source(vm.owner());
  job.set_source_incarnation(vm.owner_incarnation());
  job.set_target_incarnation(state.node(job.target())->incarnation());
  job.set_attempt(change.index());
  *job.mutable_epoch() = vm.epoch();
  job.set_phase(static_cast<std::uint32_t>(MigrationState::kSetup));
  job.set_started_ns(change.cluster_time());
  job.set_phase_deadline_ns(deadline(job, change.cluster_time(), kSetupLimit));
  change.set_job_state(task, JobState::kStarting);
  settle_requests(job, "Its turn has come.", change.cluster_time());
  job.set_queued_index(0);
  state.put(std::move(task));
  vm.set_job(id);
  change.set_failure_reason(vm.name(), MigrationFailure::kNone);
  change.set_migration_state(vm, MigrationState::kSetup, id);
  change.put(std::move(vm));
  return true;
}

namespace {

// The phase stays: the source says that its transfer stands still, or goes on, as it was asked to.
void follow_transfer(Change& change, InFlight& job_of,
                     const pb::Command::AdvanceMigration& command) {
  pb::MigrationJob& job = *job_of.task.mutable_job();
  const JobStanding standing = standing_of(job);
  const bool goes_on = standing.state == JobState::kStarting && !standing.is_suspending;
  const bool stands = standing.phase == MigrationState::kDataTransfer;
  if (!stands || (!standing.is_suspending && !goes_on)) return change.too_late();
  keep_statistics(job, command.statistics());
  change.set_job_state(job_of.task, goes_on ? JobState::kRunning : JobState::kSuspended);
  settle_requests(job, "Done.", change.cluster_time());
  change.state().put(std::move(job_of.task));
}

}  // namespace

void apply_advance_migration(Change& change, const pb::Command::AdvanceMigration& command) {
  std::optional<InFlight> job_of = in_flight(change, command);
  if (!job_of.has_value()) return;
  pb::MigrationJob& job = *job_of->task.mutable_job();
  const bool compares = !change.makes(Mistake::kApplyUnguarded);
  if (job.phase() != command.from_phase() && compares) return change.too_late();
  if (command.from_phase() == command.to_phase()) return follow_transfer(change, *job_of, command);
  if (is_held(job) && compares) return change.too_late();
  const MigrationState to = *migration_state_of(command.to_phase());
  assert(engine_may_move(*migration_state_of(job.phase()), to));
  change.set_job_state(job_of->task, JobState::kRunning);
  job.set_phase(command.to_phase());
  keep_statistics(job, command.statistics());
  const bool moving = to == MigrationState::kMove;
  if (moving) job.set_move_index(change.index());
  if (moving) job.set_post_copy(command.post_copy());
  job.set_phase_deadline_ns(deadline(job, change.cluster_time(), moving ? kMoveLimit : 0));
  const TaskId id = job_of->task.id();
  change.state().put(std::move(job_of->task));
  change.progress(id, moving ? kProgressAtMove : kProgressInTransfer);
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
  change.progress(id, kProgressWithAllPages);
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
    job.set_phase_deadline_ns(add(change.cluster_time(), post_copy_limit(change.state(), vm, job)));
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
  change.progress(id, kProgressAtComplete);
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
  change.set_job_state(job_of->task, JobState::kCompleted);
  close_requests(job, JobState::kCompleted, change.cluster_time());
  change.note_slots();
  job.set_ended_ns(change.cluster_time());
  pb::Vm vm = job_of->vm;
  vm.set_job(0);
  change.set_failure_reason(vm.name(), MigrationFailure::kNone);
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
