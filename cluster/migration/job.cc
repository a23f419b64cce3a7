#include "cluster/migration/job.h"

#include <array>
#include <cassert>
#include <utility>

namespace failsim {
namespace {

constexpr std::uint32_t kFirstJobState = 2;
constexpr std::uint32_t kFirstRequest = 2;
constexpr std::uint32_t kFirstVendorRequest = 32768;
constexpr std::uint32_t kLastRequest = 65535;

constexpr std::array<std::string_view, kJobStateCount> kJobStateNames = {
    "New",       "Starting",   "Running", "Suspended", "ShuttingDown",
    "Completed", "Terminated", "Killed",  "Exception", "Service"};

constexpr std::array<std::string_view, 5> kRequestNames = {"Start", "Suspend", "Terminate", "Kill",
                                                           "Service"};

struct ReturnRow {
  ReturnValue value;
  std::string_view name;
};

constexpr ReturnRow kReturnValues[] = {
    {ReturnValue::kCompleted, "Completed with No Error"},
    {ReturnValue::kTransitionStarted, "Method Parameters Checked - Transition Started"},
    {ReturnValue::kTimeoutParameterNotSupported, "Use Of Timeout Parameter Not Supported"},
    {ReturnValue::kFailed, "Failed"},
    {ReturnValue::kAccessDenied, "Access Denied"},
    {ReturnValue::kNotSupported, "Not Supported"},
    {ReturnValue::kStatusUnknown, "Status Is Unknown"},
    {ReturnValue::kTimeout, "Timeout"},
    {ReturnValue::kInvalidParameter, "Invalid Parameter"},
    {ReturnValue::kSystemInUse, "System Is In Use"},
    {ReturnValue::kInvalidState, "Invalid State"},
    {ReturnValue::kIncorrectDataType, "Incorrect Data Type"},
    {ReturnValue::kSystemNotAvailable, "System Is Not Available"},
    {ReturnValue::kOutOfMemory, "Out Of Memory"},
};

JobAnswer refuse(ReturnValue value) {
  return {value, JobAction::kNone};
}

JobAnswer accept(JobAction action) {
  return {ReturnValue::kCompleted, action};
}

// Of a job in Setup or Data Transfer that is not ShuttingDown.
JobAnswer answer_to_way_back(const JobStanding& standing, RequestedState requested) {
  const JobAnswer refused = refuse(ReturnValue::kInvalidState);
  if (standing.phase == MigrationState::kSetup) return refused;
  switch (standing.state) {
    case JobState::kStarting:
      return requested == RequestedState::kSuspend ? accept(JobAction::kSuspend) : refused;
    case JobState::kRunning:
      if (requested == RequestedState::kSuspend) {
        return accept(standing.is_suspending ? JobAction::kNone : JobAction::kSuspend);
      }
      if (requested == RequestedState::kStart && standing.is_suspending) {
        return accept(JobAction::kResume);
      }
      return refused;
    case JobState::kSuspended:
      if (requested == RequestedState::kService) return accept(JobAction::kHold);
      return requested == RequestedState::kStart ? accept(JobAction::kResume) : refused;
    case JobState::kService:
      return requested == RequestedState::kStart ? accept(JobAction::kResume) : refused;
    default:
      return refused;
  }
}

JobAnswer answer_to_cancel(JobState state, RequestedState requested) {
  if (requested == RequestedState::kKill) return accept(JobAction::kCancelAtOnce);
  return accept(state == JobState::kShuttingDown ? JobAction::kNone : JobAction::kCancelOrderly);
}

struct JobStep {
  JobState from;
  JobState to;
};

constexpr JobStep kJobSteps[] = {
    {JobState::kNew, JobState::kStarting},             // its turn has come
    {JobState::kNew, JobState::kTerminated},           // it will not have one
    {JobState::kNew, JobState::kKilled},               //
    {JobState::kStarting, JobState::kRunning},         //
    {JobState::kStarting, JobState::kSuspended},       // a Suspend took the Start back
    {JobState::kStarting, JobState::kShuttingDown},    //
    {JobState::kRunning, JobState::kSuspended},        //
    {JobState::kRunning, JobState::kCompleted},        //
    {JobState::kRunning, JobState::kShuttingDown},     //
    {JobState::kSuspended, JobState::kStarting},       //
    {JobState::kSuspended, JobState::kService},        //
    {JobState::kSuspended, JobState::kShuttingDown},   //
    {JobState::kService, JobState::kStarting},         //
    {JobState::kService, JobState::kShuttingDown},     //
    {JobState::kShuttingDown, JobState::kTerminated},  //
    {JobState::kShuttingDown, JobState::kKilled},      //
};

// ---- Intervals: ddddddddhhmmss.mmmmmm:000 -------------------------------------------------------

constexpr std::size_t kIntervalLength = 25;
constexpr std::size_t kDotAt = 14;
constexpr std::size_t kColonAt = 21;

Error bad_interval(std::string_view text, std::string_view why) {
  std::string message = "The TimeoutPeriod '";
  for (const char c : text.substr(0, 40)) message += c >= ' ' && c <= '~' ? c : '?';
  message += "' is not a CIM interval: ";
  message += why;
  message += ".";
  return {Code::kInvalidParameter, std::move(message),
          "Give ddddddddhhmmss.mmmmmm:000, for example 00000000000130.000000:000 for a minute and "
          "a half, or nothing."};
}

// The number in these digits, all of which must be digits.
Duration digits(std::string_view text, std::size_t at, std::size_t count) {
  Duration number = 0;
  for (const char c : text.substr(at, count)) number = number * 10 + (c - '0');
  return number;
}

// `count` is at most 8, so that the digits always fit.
void put_digits(std::string& out, Duration number, std::size_t count) {
  std::string reversed;
  for (std::size_t i = 0; i < count; ++i, number /= 10) {
    reversed.push_back(static_cast<char>('0' + number % 10));
  }
  assert(number == 0);
  out.append(reversed.rbegin(), reversed.rend());
}

}  // namespace

std::string_view name(JobState state) {
  const std::size_t index = static_cast<std::size_t>(state) - kFirstJobState;
  assert(index < kJobStateNames.size());
  return kJobStateNames[index];
}

std::optional<JobState> job_state_of(std::uint32_t number) {
  if (number < kFirstJobState) return std::nullopt;
  if (number - kFirstJobState >= kJobStateNames.size()) return std::nullopt;
  return static_cast<JobState>(number);
}

bool is_finished(JobState state) {
  switch (state) {
    case JobState::kCompleted:
    case JobState::kTerminated:
    case JobState::kKilled:
    case JobState::kException:
      return true;
    default:
      return false;
  }
}

std::string_view requested_state_name(std::uint32_t number) {
  if (const auto requested = requested_state_of(number))
    return kRequestNames[number - kFirstRequest];
  if (number < kFirstRequest || number > kLastRequest) return "Invalid";
  return number < kFirstVendorRequest ? "DMTF Reserved" : "Vendor Reserved";
}

std::optional<RequestedState> requested_state_of(std::uint32_t number) {
  if (number < kFirstRequest) return std::nullopt;
  if (number - kFirstRequest >= kRequestNames.size()) return std::nullopt;
  return static_cast<RequestedState>(number);
}

std::string_view name(ReturnValue value) {
  for (const ReturnRow& row : kReturnValues) {
    if (row.value == value) return row.name;
  }
  assert(false);
  return {};
}

std::optional<ReturnValue> return_value_of(std::uint32_t number) {
  for (const ReturnRow& row : kReturnValues) {
    if (static_cast<std::uint32_t>(row.value) == number) return row.value;
  }
  return std::nullopt;
}

JobAnswer answer(const JobStanding& standing, std::uint32_t number) {
  const std::optional<RequestedState> requested = requested_state_of(number);
  if (!requested) return refuse(ReturnValue::kInvalidParameter);
  if (is_finished(standing.state)) return refuse(ReturnValue::kInvalidState);
  const bool cancels =
      *requested == RequestedState::kTerminate || *requested == RequestedState::kKill;
  if (standing.state == JobState::kNew) {
    if (cancels) return answer_to_cancel(standing.state, *requested);
    return refuse(*requested == RequestedState::kStart ? ReturnValue::kSystemInUse
                                                       : ReturnValue::kInvalidState);
  }
  const bool may_undo =
      standing.phase == MigrationState::kSetup || standing.phase == MigrationState::kDataTransfer;
  if (!may_undo) return refuse(ReturnValue::kInvalidState);
  if (cancels) return answer_to_cancel(standing.state, *requested);
  return answer_to_way_back(standing, *requested);
}

std::optional<ReturnValue> outcome_of(const JobStanding& standing, std::uint32_t newest,
                                      std::uint32_t requested) {
  const JobState state = standing.state;
  const auto when = [](bool done) { return done ? ReturnValue::kCompleted : ReturnValue::kFailed; };
  if (is_finished(state)) {
    const bool as_asked = (requested == static_cast<std::uint32_t>(RequestedState::kTerminate) &&
                           (state == JobState::kTerminated || state == JobState::kKilled)) ||
                          (requested == static_cast<std::uint32_t>(RequestedState::kKill) &&
                           state == JobState::kKilled) ||
                          (requested == static_cast<std::uint32_t>(RequestedState::kStart) &&
                           state == JobState::kCompleted);
    return when(as_asked);
  }
  if (newest != requested) return ReturnValue::kFailed;
  switch (static_cast<RequestedState>(requested)) {
    case RequestedState::kSuspend:
      if (standing.is_suspending) return std::nullopt;
      return when(state == JobState::kSuspended);
    case RequestedState::kStart:
      if (state == JobState::kStarting) return std::nullopt;
      return when(state == JobState::kRunning);
    case RequestedState::kService:
      return when(state == JobState::kService);
    case RequestedState::kTerminate:
    case RequestedState::kKill:
      return std::nullopt;
  }
  return ReturnValue::kFailed;
}

bool job_may_step(JobState from, JobState to) {
  if (to == JobState::kException) return !is_finished(from);
  for (const JobStep& step : kJobSteps) {
    if (step.from == from && step.to == to) return true;
  }
  return false;
}

bool job_may_come(JobState from, JobState to) {
  std::array<bool, kJobStateCount> seen = {};
  const auto index = [](JobState state) {
    return static_cast<std::size_t>(state) - kFirstJobState;
  };
  seen[index(from)] = true;
  for (std::size_t round = 0; round < seen.size(); ++round) {
    for (const JobStep& step : kJobSteps) {
      if (seen[index(step.from)]) seen[index(step.to)] = true;
    }
  }
  return from != to && (seen[index(to)] || job_may_step(from, to));
}

bool stands_still(JobState state) {
  return state == JobState::kSuspended || state == JobState::kService;
}

Result<Duration> parse_interval(std::string_view text) {
  if (text.empty() || text == "0") return Duration{0};
  if (text.size() != kIntervalLength) return bad_interval(text, "it has not 25 characters");
  if (text[kDotAt] != '.') return bad_interval(text, "there is no point before the microseconds");
  if (text[kColonAt] == '+' || text[kColonAt] == '-') {
    return bad_interval(text, "it is a point in time");
  }
  if (text.substr(kColonAt) != ":000") return bad_interval(text, "it does not end with :000");
  for (std::size_t i = 0; i < kColonAt; ++i) {
    if (i == kDotAt) continue;
    if (text[i] == '*') return bad_interval(text, "it leaves digits open");
    if (text[i] < '0' || text[i] > '9')
      return bad_interval(text, "it has another sign than digits");
  }
  const Duration days = digits(text, 0, 8);
  const Duration hours = digits(text, 8, 2);
  const Duration minutes = digits(text, 10, 2);
  const Duration seconds = digits(text, 12, 2);
  const Duration microseconds = digits(text, 15, 6);
  if (hours > 23) return bad_interval(text, "the hours are above 23");
  if (minutes > 59) return bad_interval(text, "the minutes are above 59");
  if (seconds > 59) return bad_interval(text, "the seconds are above 59");
  // 99'999'999 days are less than 2^63 seconds, but not less than 2^63 nanoseconds.
  const Duration whole_seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
  if (whole_seconds >= kMaximumTimeoutPeriod / kSecond &&
      (whole_seconds > kMaximumTimeoutPeriod / kSecond || microseconds > 0)) {
    return bad_interval(text, "it is longer than 36500 days");
  }
  return whole_seconds * kSecond + microseconds * kMicrosecond;
}

std::string format_interval(Duration period) {
  assert(period >= 0);
  const Duration whole_seconds = period / kSecond;
  std::string out;
  put_digits(out, whole_seconds / 86'400, 8);
  put_digits(out, whole_seconds / 3'600 % 24, 2);
  put_digits(out, whole_seconds / 60 % 60, 2);
  put_digits(out, whole_seconds % 60, 2);
  out += '.';
  put_digits(out, period % kSecond / kMicrosecond, 6);
  out += ":000";
  return out;
}

}  // namespace failsim
