#include "cluster/failover/job_steps.h"

#include <string>

#include "cluster/error.h"
#include "cluster/state/job_row.h"
#include "cluster/vm/task_result.h"

namespace failsim {
namespace {

pb::Command end_in_order(const pb::MigrationJob& job, TaskId id) {
  pb::Command command;
  pb::Command::AbortMigration& abort = *command.mutable_abort_migration();
  abort.set_vm(job.vm());
  abort.set_job(id);
  abort.set_attempt(job.attempt());
  abort.set_phase(job.phase());
  abort.set_task_result(static_cast<std::uint32_t>(VMTaskResult::kCancelled));
  abort.set_error(static_cast<std::uint32_t>(Code::kOperationAborted));
  abort.set_message("The migration of VM '" + job.vm() + "' was terminated; the VM runs on " +
                    node_name(job.source()) + ".");
  return command;
}

// The phase stays; what the job becomes follows from what it was asked for.
pb::Command follow(const pb::MigrationJob& job, TaskId id, const SourceSaid& said) {
  pb::Command command;
  pb::Command::AdvanceMigration& advance = *command.mutable_advance_migration();
  advance.set_vm(job.vm());
  advance.set_job(id);
  advance.set_attempt(job.attempt());
  advance.set_from_phase(job.phase());
  advance.set_to_phase(job.phase());
  *advance.mutable_statistics() = said.statistics;
  return command;
}

}  // namespace

std::optional<pb::Command> job_step(const pb::MigrationJob& job, TaskId id, const SourceSaid& said,
                                    Duration cluster_now) {
  const JobStanding standing = standing_of(job);
  const bool stands = said.status == pb::TRANSFER_SUSPENDED;
  const bool goes_on =
      said.status == pb::TRANSFER_STREAMING || said.status == pb::TRANSFER_CONVERGED;
  if (standing.state == JobState::kShuttingDown) {
    const bool is_sending = said.lives && standing.phase == MigrationState::kDataTransfer &&
                            !stands && said.status != pb::TRANSFER_FAILED;
    const bool is_late = cluster_now >= job.phase_deadline_ns();
    if (is_sending && !is_late) return std::nullopt;
    return end_in_order(job, id);
  }
  if (standing.phase != MigrationState::kDataTransfer) return std::nullopt;
  if (standing.is_suspending) {
    return stands ? std::optional(follow(job, id, said)) : std::nullopt;
  }
  const bool is_resuming = standing.state == JobState::kStarting;
  return is_resuming && goes_on ? std::optional(follow(job, id, said)) : std::nullopt;
}

}  // namespace failsim
