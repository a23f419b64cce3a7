#include "cluster/migration/job_refusal.h"

#include <string>
#include <utility>

namespace failsim {
namespace {

constexpr const char* kCallItOff = "call it off with Terminate";

Error refused(std::string message, std::string next) {
  return {Code::kInvalidState, std::move(message), std::move(next)};
}

Error unknown(std::uint32_t requested) {
  return {Code::kInvalidParameter,
          "No job can be asked for the state " + std::to_string(requested) + " (" +
              std::string(requested_state_name(requested)) + ").",
          "Ask for Start (2), Suspend (3), Terminate (4), Kill (5) or Service (6)."};
}

// Of a job in Data Transfer.
Error in_transfer(JobState state, RequestedState requested) {
  const std::string is = "The job is " + std::string(name(state));
  if (!stands_still(state)) {
    return requested == RequestedState::kStart
               ? refused(is + " and goes on by itself.", "Nothing has to be started.")
               : refused(is + ", and only a Suspended one can be held in Service.",
                         "Ask for Suspend first.");
  }
  return refused(is + " and stands still already.", "Let it go on with Start.");
}

}  // namespace

Error state_change_refused(const JobStanding& standing, std::uint32_t number) {
  const auto requested = requested_state_of(number);
  if (!requested) return unknown(number);
  const std::string asked(requested_state_name(number));
  const bool starts = *requested == RequestedState::kStart;
  if (is_finished(standing.state)) {
    return refused("The job has ended: it is " + std::string(name(standing.state)) + ".",
                   "Begin another migration if one is wanted: 'failsim migrate VM --to NODE'.");
  }
  if (standing.state == JobState::kNew) {
    return starts ? refused("The job begins by itself, when it is its turn on both its nodes.",
                            std::string("Wait for it, or ") + kCallItOff + ".")
                  : refused("The job waits for its turn, and sends nothing that could stand still.",
                            std::string("Wait until it runs, or ") + kCallItOff + ".");
  }
  if (standing.phase == MigrationState::kNoMigration) {
    return refused("The migration has succeeded: the VM belongs to its target.",
                   "Migrate the VM back if it is wanted there.");
  }
  if (standing.phase != MigrationState::kSetup && standing.phase != MigrationState::kDataTransfer) {
    return refused("The migration is in " + std::string(name(standing.phase)) +
                       ", where it can neither stand still nor be called off.",
                   "Wait until it has ended, then migrate the VM back.");
  }
  if (standing.state == JobState::kShuttingDown) {
    return refused("The job is ShuttingDown, and there is no way back to " + asked + ".",
                   "Wait until it has ended, or hasten that with Kill.");
  }
  if (standing.phase == MigrationState::kSetup) {
    return starts
               ? refused("The migration is in Setup and goes on by itself.",
                         "Nothing has to be started.")
               : refused("The migration is in Setup, and sends nothing yet that could stand still.",
                         std::string("Ask again in Data Transfer, or ") + kCallItOff + ".");
  }
  return in_transfer(standing.state, *requested);
}

}  // namespace failsim
