// The job of a live migration as its clients see and steer it: Msvm_MigrationJob.
//
// Sources: "RequestStateChange method of the Msvm_MigrationJob class" for requests and return
// codes; the Msvm_MigrationJob page for JobState; MigrateVirtualSystemToHost for the names of the
// codes, which the first page prints as bare numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/error.h"
#include "cluster/migration/migration_state.h"
#include "cluster/time.h"

namespace failsim {

enum class JobState : std::uint16_t {
  kNew = 2,           // waits for its turn: both its nodes take part in enough migrations
  kStarting = 3,      // on its way to Running
  kRunning = 4,       //
  kSuspended = 5,     // its transfer stands still; the guest runs on
  kShuttingDown = 6,  // on its way to one of the next three
  kCompleted = 7,     // ended as it should
  kTerminated = 8,    // ended by Terminate
  kKilled = 9,        // ended by Kill
  kException = 10,    // ended by an error
  kService = 11       // held for maintenance: as Suspended, until somebody says Start
};

inline constexpr std::size_t kJobStateCount = 10;

// For example "ShuttingDown".
std::string_view name(JobState state);
std::optional<JobState> job_state_of(std::uint32_t number);  // nothing unless 2..11

// Completed, Terminated, Killed or Exception: nothing will change any more.
bool is_finished(JobState state);

// What a client may ask for. Every other number is reserved: 7..32767 by the DMTF, from 32768 by
// the vendor; 0 and 1 do not exist.
enum class RequestedState : std::uint16_t {
  kStart = 2,      // go on after Suspend or Service
  kSuspend = 3,    // stop sending until Start
  kTerminate = 4,  // stop in an orderly manner
  kKill = 5,       // stop at once
  kService = 6     // hold a suspended job for maintenance
};

// "Start" ... "Service"; "DMTF Reserved" for 7..32767, "Vendor Reserved" for 32768..65535;
// "Invalid" for 0, 1 and what does not fit the 16 bits of the parameter.
std::string_view requested_state_name(std::uint32_t number);
std::optional<RequestedState> requested_state_of(std::uint32_t number);

enum class ReturnValue : std::uint32_t {
  kCompleted = 0,
  kTransitionStarted = 4096,  // of CIM_ConcreteJob: accepted; here also: not ordered yet
  kTimeoutParameterNotSupported = 4098,  // documented; failsim takes the parameter, see below
  kFailed = 32768,
  kAccessDenied = 32769,
  kNotSupported = 32770,
  kStatusUnknown = 32771,
  kTimeout = 32772,
  kInvalidParameter = 32773,
  kSystemInUse = 32774,
  kInvalidState = 32775,
  kIncorrectDataType = 32776,
  kSystemNotAvailable = 32777,
  kOutOfMemory = 32778
};

// For example "Invalid State".
std::string_view name(ReturnValue value);
std::optional<ReturnValue> return_value_of(std::uint32_t number);

enum class JobAction : std::uint8_t {
  kNone,
  kSuspend,        // the transfer is to stop at the end of the piece it is sending
  kResume,         // it is to go on
  kHold,           // nothing more than the name of the state: Suspended becomes Service
  kCancelOrderly,  // Terminate: the transfer comes to rest, then it is dropped; ends Terminated
  kCancelAtOnce    // Kill: dropped without waiting for anybody; ends Killed
};

struct JobAnswer {
  ReturnValue value = ReturnValue::kFailed;
  JobAction action = JobAction::kNone;  // only beside kCompleted

  bool operator==(const JobAnswer&) const = default;
};

// What a job is doing when it is asked.
struct JobStanding {
  JobState state = JobState::kNew;
  MigrationState phase = MigrationState::kNoMigration;  // of the job
  bool is_suspending = false;  // Suspend was accepted, and its transfer is still on the way there
};

// The answer to RequestStateChange(`requested`). The rules, first that applies:
//   a reserved or unknown request            32773 Invalid Parameter
//   a finished job                           32775 Invalid State
//   New        Terminate, Kill               0: it will not have its turn
//              Start                         32774 System Is In Use: it begins by itself when both
//                                            its nodes have a slot
//              Suspend, Service              32775
//   in Move and after it: anything           32775
//   ShuttingDown  Terminate                  0 and nothing changes: repeating it is harmless
//              Kill                          0: hastens the end
//              Start, Suspend, Service       32775: there is no way back
//   Terminate, Kill otherwise                0
//   in Setup   Start, Suspend, Service       32775
//   Starting   Suspend                       0: takes the Start back
//   Running    Suspend                       0; again while it is suspending: 0, nothing changes
//              Start                         0 while it is suspending: takes the Suspend back;
//                                            otherwise 32775
//   Suspended  Start, Service                0
//   Service    Start                         0
//   otherwise                                32775
JobAnswer answer(const JobStanding& standing, std::uint32_t requested);

// What became of a request that was answered with 0: 0 when the job is where it was asked to be, or
// on its way to an end that includes it; Failed when another request or the end of the job overtook
// it; nothing while it is under way. `newest` is the request that was accepted last.
std::optional<ReturnValue> outcome_of(const JobStanding& standing, std::uint32_t newest,
                                      std::uint32_t requested);

// Whether one step leads from one state to the other; staying is none. What cancels at once takes
// two steps, over ShuttingDown, in one entry of the log; every live state may end in Exception.
bool job_may_step(JobState from, JobState to);
// The same of any number of steps: what somebody sees who looks from time to time.
bool job_may_come(JobState from, JobState to);

// No page may be sent for a job in this state.
bool stands_still(JobState state);

// A period longer than this (100 years of 365 days) is refused; a shorter one may be added to any
// Time of a running member without overflow.
inline constexpr Duration kMaximumTimeoutPeriod = Duration{36'500} * 86'400 * kSecond;

// TimeoutPeriod, a CIM interval: exactly 25 characters "ddddddddhhmmss.mmmmmm:000" (days, hours
// below 24, minutes and seconds below 60, microseconds). Empty text, "0" and an interval of zero
// mean that the client sets no limit, and give 0. Refused with kInvalidParameter, which the job's
// interface returns as ReturnValue::kInvalidParameter: another length or sign, '*' for unknown
// digits, a point in time instead of an interval, a field out of range, more than
// kMaximumTimeoutPeriod.
Result<Duration> parse_interval(std::string_view text);

// The CIM interval of a period that is not negative; what is below a microsecond is dropped.
std::string format_interval(Duration period);

}  // namespace failsim
