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
  kNew = 2,           // created, not begun
  kStarting = 3,      // on its way to Running
  kRunning = 4,       //
  kSuspended = 5,     // stopped for a while; no job of failsim is ever in it
  kShuttingDown = 6,  // on its way to one of the next three
  kCompleted = 7,     // ended as it should
  kTerminated = 8,    // ended by Terminate
  kKilled = 9,        // ended by Kill
  kException = 10,    // ended by an error
  kService = 11       // in a vendor's service state; no job of failsim is ever in it
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
  kStart = 2,
  kSuspend = 3,
  kTerminate = 4,  // stop in an orderly manner
  kKill = 5,       // stop at once
  kService = 6
};

// "Start" ... "Service"; "DMTF Reserved" for 7..32767, "Vendor Reserved" for 32768..65535;
// "Invalid" for 0, 1 and what does not fit the 16 bits of the parameter.
std::string_view requested_state_name(std::uint32_t number);
std::optional<RequestedState> requested_state_of(std::uint32_t number);

enum class ReturnValue : std::uint32_t {
  kCompleted = 0,
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
  kCancelOrderly,  // Terminate: the guest goes on at the source; ends Terminated
  kCancelAtOnce    // Kill: the same for the guest, without waiting for the target; ends Killed
};

struct JobAnswer {
  ReturnValue value = ReturnValue::kFailed;
  JobAction action = JobAction::kNone;  // only beside kCompleted

  bool operator==(const JobAnswer&) const = default;
};

// The answer to RequestStateChange(`requested`) for a job in `state` whose VM has the
// MigrationState `phase`. The rules, first that applies:
//   a reserved or unknown request                      32773 Invalid Parameter
//   a finished job                                     32775 Invalid State
//   Suspend, Service                                   32770 Not Supported
//   Start, job New, Suspended or Service               32770: jobs of failsim start by themselves
//   Start, job Starting, Running or ShuttingDown       32775: no way leads from there to Starting
//   Terminate or Kill in Setup or Data Transfer        0 and cancel. While ShuttingDown a Terminate
//                                                      is 0 and changes nothing, so that repeating
//                                                      it is harmless, and a Kill still hastens
//   Terminate or Kill of a New job outside Move        0 and cancel: it waits for its turn, and the
//                                                      phase is what an earlier attempt left
//   Terminate or Kill otherwise, above all in Move     32775
JobAnswer answer(JobState state, std::uint32_t requested, MigrationState phase);

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
