#include "cluster/state/job_row.h"

#include <cassert>

#include "cluster/migration/job_refusal.h"

namespace failsim {
namespace {

constexpr auto kInTransfer = static_cast<std::uint32_t>(MigrationState::kDataTransfer);

bool is_under_way(const pb::StateRequest& request) {
  return request.outcome().empty();
}

std::string request_name(std::uint32_t requested) {
  return std::string(requested_state_name(requested));
}

}  // namespace

JobStanding standing_of(const pb::MigrationJob& job) {
  const auto state = job_state_of(job.job_state());
  const auto phase = migration_state_of(job.phase());
  assert(state.has_value());
  assert(phase.has_value());
  const bool may_suspend = *state == JobState::kStarting || *state == JobState::kRunning;
  const bool is_asked =
      job.requested_state() == static_cast<std::uint32_t>(RequestedState::kSuspend);
  return {*state, *phase, may_suspend && is_asked && job.phase() == kInTransfer};
}

bool waits_for_its_turn(const pb::MigrationJob& job) {
  return job.job_state() == static_cast<std::uint32_t>(JobState::kNew);
}

bool is_held(const pb::MigrationJob& job) {
  const JobStanding standing = standing_of(job);
  return standing.is_suspending || stands_still(standing.state) ||
         standing.state == JobState::kShuttingDown;
}

void note_request(pb::MigrationJob& job, std::uint32_t requested, const JobAnswer& answer,
                  Duration now, Duration period) {
  const bool is_accepted = answer.value == ReturnValue::kCompleted;
  if (answer.action != JobAction::kNone) {
    settle_requests(job, "Overwritten by " + request_name(requested) + ".", now);
    job.set_requested_state(requested);
  }
  pb::StateRequest& noted = *job.add_requests();
  noted.set_requested_state(requested);
  noted.set_return_value(static_cast<std::uint32_t>(answer.value));
  noted.set_at_ns(now);
  if (period > 0) noted.set_deadline_ns(now + period);
  if (!is_accepted) {
    noted.set_outcome("Refused: " + state_change_refused(standing_of(job), requested).message);
  } else if (answer.action == JobAction::kNone) {
    noted.set_outcome("It was under way already.");
  }
  const int surplus = job.requests_size() - kRequestsKept;
  if (surplus > 0) job.mutable_requests()->DeleteSubrange(0, surplus);
}

void settle_requests(pb::MigrationJob& job, const std::string& outcome, Duration now) {
  for (pb::StateRequest& request : *job.mutable_requests()) {
    if (!is_under_way(request)) continue;
    const bool is_late = request.deadline_ns() != 0 && now > request.deadline_ns();
    request.set_outcome(outcome + (is_late ? " Its TimeoutPeriod was over by then." : ""));
  }
}

void close_requests(pb::MigrationJob& job, JobState ended, Duration now) {
  const bool as_asked =
      (ended == JobState::kTerminated &&
       job.requested_state() == static_cast<std::uint32_t>(RequestedState::kTerminate)) ||
      (ended == JobState::kKilled &&
       job.requested_state() == static_cast<std::uint32_t>(RequestedState::kKill));
  settle_requests(
      job, as_asked ? "Done." : "The job ended first: " + std::string(name(ended)) + ".", now);
}

}  // namespace failsim
