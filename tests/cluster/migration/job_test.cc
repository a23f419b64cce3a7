#include "cluster/migration/job.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace failsim {
namespace {

const std::map<std::uint32_t, std::string> kJobStates = {
    {2, "New"},       {3, "Starting"},   {4, "Running"}, {5, "Suspended"},  {6, "ShuttingDown"},
    {7, "Completed"}, {8, "Terminated"}, {9, "Killed"},  {10, "Exception"}, {11, "Service"}};

const std::map<std::uint32_t, std::string> kRequests = {
    {2, "Start"}, {3, "Suspend"}, {4, "Terminate"}, {5, "Kill"}, {6, "Service"}};

const std::map<std::uint32_t, std::string> kReturnValues = {
    {0, "Completed with No Error"},
    {4096, "Method Parameters Checked - Transition Started"},
    {4098, "Use Of Timeout Parameter Not Supported"},
    {32768, "Failed"},
    {32769, "Access Denied"},
    {32770, "Not Supported"},
    {32771, "Status Is Unknown"},
    {32772, "Timeout"},
    {32773, "Invalid Parameter"},
    {32774, "System Is In Use"},
    {32775, "Invalid State"},
    {32776, "Incorrect Data Type"},
    {32777, "System Is Not Available"},
    {32778, "Out Of Memory"}};

constexpr std::uint32_t kStart = 2;
constexpr std::uint32_t kSuspend = 3;
constexpr std::uint32_t kTerminate = 4;
constexpr std::uint32_t kKill = 5;
constexpr std::uint32_t kService = 6;

const JobAnswer kSuspends = {ReturnValue::kCompleted, JobAction::kSuspend};
const JobAnswer kResumes = {ReturnValue::kCompleted, JobAction::kResume};
const JobAnswer kHolds = {ReturnValue::kCompleted, JobAction::kHold};
const JobAnswer kOrderly = {ReturnValue::kCompleted, JobAction::kCancelOrderly};
const JobAnswer kAtOnce = {ReturnValue::kCompleted, JobAction::kCancelAtOnce};
const JobAnswer kAlready = {ReturnValue::kCompleted, JobAction::kNone};
const JobAnswer kInvalidState = {ReturnValue::kInvalidState, JobAction::kNone};
const JobAnswer kInUse = {ReturnValue::kSystemInUse, JobAction::kNone};
const JobAnswer kInvalidParameter = {ReturnValue::kInvalidParameter, JobAction::kNone};

std::vector<JobState> all_states() {
  std::vector<JobState> states;
  for (const auto& [number, text] : kJobStates) states.push_back(*job_state_of(number));
  return states;
}

std::vector<MigrationState> all_phases() {
  std::vector<MigrationState> phases;
  for (std::uint32_t i = 0; i < kMigrationStateCount; ++i) {
    phases.push_back(*migration_state_of(i));
  }
  return phases;
}

TEST(Job, EveryNumberOfSixteenBitsIsAJobStateARequestAReturnValueOrNone) {
  for (std::uint32_t number = 0; number <= 65536; ++number) {
    const auto state = job_state_of(number);
    const auto state_row = kJobStates.find(number);
    ASSERT_EQ(state.has_value(), state_row != kJobStates.end()) << number;
    if (state) {
      EXPECT_EQ(static_cast<std::uint32_t>(*state), number);
      EXPECT_EQ(name(*state), state_row->second);
    }
    const auto request = requested_state_of(number);
    const auto request_row = kRequests.find(number);
    ASSERT_EQ(request.has_value(), request_row != kRequests.end()) << number;
    if (request) {
      EXPECT_EQ(static_cast<std::uint32_t>(*request), number);
      EXPECT_EQ(requested_state_name(number), request_row->second);
    }
    const auto value = return_value_of(number);
    const auto value_row = kReturnValues.find(number);
    ASSERT_EQ(value.has_value(), value_row != kReturnValues.end()) << number;
    if (value) {
      EXPECT_EQ(static_cast<std::uint32_t>(*value), number);
      EXPECT_EQ(name(*value), value_row->second);
    }
  }
  EXPECT_EQ(kJobStates.size(), kJobStateCount);
}

TEST(Job, ReservedRequestsSayForWhomTheyAreReserved) {
  EXPECT_EQ(requested_state_name(0), "Invalid");
  EXPECT_EQ(requested_state_name(1), "Invalid");
  EXPECT_EQ(requested_state_name(7), "DMTF Reserved");
  EXPECT_EQ(requested_state_name(32767), "DMTF Reserved");
  EXPECT_EQ(requested_state_name(32768), "Vendor Reserved");
  EXPECT_EQ(requested_state_name(65535), "Vendor Reserved");
  EXPECT_EQ(requested_state_name(65536), "Invalid");
  EXPECT_EQ(requested_state_name(65540), "Invalid");
}

TEST(Job, FourStatesAreFinished) {
  for (const JobState state : all_states()) {
    const auto number = static_cast<std::uint32_t>(state);
    EXPECT_EQ(is_finished(state), number >= 7 && number <= 10) << name(state);
  }
}

TEST(Job, ReservedRequestsAreInvalidParametersWhateverTheJobDoes) {
  for (const JobState state : all_states()) {
    for (const MigrationState phase : all_phases()) {
      for (const std::uint32_t request :
           {0U, 1U, 7U, 100U, 32767U, 32768U, 65535U, 65536U, 65540U, 0xFFFFFFFFU}) {
        EXPECT_EQ(answer({state, phase}, request), kInvalidParameter) << request;
      }
    }
  }
}

// ---- The whole table: state x phase x request ---------------------------------------------------

constexpr auto kNone = MigrationState::kNoMigration;
constexpr auto kSetup = MigrationState::kSetup;
constexpr auto kTransfer = MigrationState::kDataTransfer;

struct Row {
  JobStanding standing;
  JobAnswer start, suspend, terminate, kill, service;
};

// Every standing a job can have before Move. What is not here refuses everything.
const std::vector<Row> kTable = {
    {{JobState::kNew, kNone}, kInUse, kInvalidState, kOrderly, kAtOnce, kInvalidState},
    {{JobState::kStarting, kSetup}, kInvalidState, kInvalidState, kOrderly, kAtOnce, kInvalidState},
    {{JobState::kStarting, kTransfer}, kInvalidState, kSuspends, kOrderly, kAtOnce, kInvalidState},
    {{JobState::kRunning, kSetup}, kInvalidState, kInvalidState, kOrderly, kAtOnce, kInvalidState},
    {{JobState::kRunning, kTransfer}, kInvalidState, kSuspends, kOrderly, kAtOnce, kInvalidState},
    {{JobState::kRunning, kTransfer, true}, kResumes, kAlready, kOrderly, kAtOnce, kInvalidState},
    {{JobState::kSuspended, kTransfer}, kResumes, kInvalidState, kOrderly, kAtOnce, kHolds},
    {{JobState::kService, kTransfer}, kResumes, kInvalidState, kOrderly, kAtOnce, kInvalidState},
    {{JobState::kShuttingDown, kSetup},
     kInvalidState,
     kInvalidState,
     kAlready,
     kAtOnce,
     kInvalidState},
    {{JobState::kShuttingDown, kTransfer},
     kInvalidState,
     kInvalidState,
     kAlready,
     kAtOnce,
     kInvalidState},
};

TEST(Job, EveryRequestIsAnsweredAsTheTableSays) {
  for (const Row& row : kTable) {
    const std::string where = std::string(name(row.standing.state)) + " in " +
                              std::string(name(row.standing.phase)) +
                              (row.standing.is_suspending ? ", suspending" : "");
    EXPECT_EQ(answer(row.standing, kStart), row.start) << where;
    EXPECT_EQ(answer(row.standing, kSuspend), row.suspend) << where;
    EXPECT_EQ(answer(row.standing, kTerminate), row.terminate) << where;
    EXPECT_EQ(answer(row.standing, kKill), row.kill) << where;
    EXPECT_EQ(answer(row.standing, kService), row.service) << where;
  }
}

TEST(Job, AFinishedJobAcceptsNothing) {
  for (const JobState state : all_states()) {
    if (!is_finished(state)) continue;
    for (const MigrationState phase : all_phases()) {
      for (const auto& [request, text] : kRequests) {
        EXPECT_EQ(answer({state, phase}, request), kInvalidState) << text;
      }
    }
  }
}

TEST(Job, NothingStopsAJobInMoveOrBehindIt) {
  for (const JobState state : all_states()) {
    if (state == JobState::kNew) continue;
    for (const MigrationState phase : all_phases()) {
      if (phase == kSetup || phase == kTransfer) continue;
      for (const auto& [request, text] : kRequests) {
        EXPECT_EQ(answer({state, phase}, request), kInvalidState) << name(state) << " " << text;
        EXPECT_EQ(answer({state, phase, true}, request), kInvalidState) << text;
      }
    }
  }
}

TEST(Job, AJobThatWaitsCanBeCalledOffWhateverTheLastAttemptLeft) {
  for (const MigrationState phase : all_phases()) {
    EXPECT_EQ(answer({JobState::kNew, phase}, kTerminate), kOrderly) << name(phase);
    EXPECT_EQ(answer({JobState::kNew, phase}, kKill), kAtOnce) << name(phase);
  }
}

TEST(Job, AnActionComesOnlyWithReturnValueZero) {
  for (const JobState state : all_states()) {
    for (const MigrationState phase : all_phases()) {
      for (const auto& [request, text] : kRequests) {
        const JobAnswer given = answer({state, phase}, request);
        if (given.action == JobAction::kNone) continue;
        EXPECT_EQ(given.value, ReturnValue::kCompleted);
        EXPECT_FALSE(is_finished(state));
        EXPECT_EQ(given.action == JobAction::kCancelAtOnce, request == kKill);
        EXPECT_EQ(given.action == JobAction::kCancelOrderly, request == kTerminate);
      }
    }
  }
}

// ---- Steps --------------------------------------------------------------------------------------

TEST(Job, StepsAreThoseOfTheDocuments) {
  const std::map<JobState, std::vector<JobState>> expected = {
      {JobState::kNew, {JobState::kStarting, JobState::kTerminated, JobState::kKilled}},
      {JobState::kStarting, {JobState::kRunning, JobState::kSuspended, JobState::kShuttingDown}},
      {JobState::kRunning, {JobState::kSuspended, JobState::kShuttingDown, JobState::kCompleted}},
      {JobState::kSuspended, {JobState::kStarting, JobState::kShuttingDown, JobState::kService}},
      {JobState::kService, {JobState::kStarting, JobState::kShuttingDown}},
      {JobState::kShuttingDown, {JobState::kTerminated, JobState::kKilled}}};
  for (const JobState from : all_states()) {
    for (const JobState to : all_states()) {
      const auto row = expected.find(from);
      const bool is_listed =
          row != expected.end() &&
          std::find(row->second.begin(), row->second.end(), to) != row->second.end();
      const bool fails = to == JobState::kException && !is_finished(from);
      EXPECT_EQ(job_may_step(from, to), is_listed || fails) << name(from) << " " << name(to);
    }
  }
}

TEST(Job, NoWayLeadsBackFromShuttingDownNorOutOfAnEnd) {
  for (const JobState from : all_states()) {
    for (const JobState to : all_states()) {
      const bool comes = job_may_come(from, to);
      if (from == to || is_finished(from) || to == JobState::kNew) {
        EXPECT_FALSE(comes) << name(from) << " " << name(to);
      } else if (from == JobState::kShuttingDown) {
        EXPECT_EQ(comes, is_finished(to) && to != JobState::kCompleted) << name(to);
      } else {
        EXPECT_TRUE(comes) << name(from) << " " << name(to);
      }
    }
  }
}

TEST(Job, StandsStillOnlyWhileSuspendedOrInService) {
  for (const JobState state : all_states()) {
    EXPECT_EQ(stands_still(state), state == JobState::kSuspended || state == JobState::kService);
  }
}

// ---- TimeoutPeriod ------------------------------------------------------------------------------

Duration period(const std::string& text) {
  const Result<Duration> result = parse_interval(text);
  EXPECT_TRUE(result.ok()) << text;
  return result.ok() ? result.value() : -1;
}

TEST(TimeoutPeriod, NothingZeroAndTheZeroIntervalSetNoLimit) {
  EXPECT_EQ(period(""), 0);
  EXPECT_EQ(period("0"), 0);
  EXPECT_EQ(period("00000000000000.000000:000"), 0);
}

TEST(TimeoutPeriod, IsReadFieldByField) {
  EXPECT_EQ(period("00000000000000.000001:000"), kMicrosecond);
  EXPECT_EQ(period("00000000000001.000000:000"), kSecond);
  EXPECT_EQ(period("00000000000100.000000:000"), 60 * kSecond);
  EXPECT_EQ(period("00000000010000.000000:000"), 3600 * kSecond);
  EXPECT_EQ(period("00000001000000.000000:000"), 86'400 * kSecond);
  EXPECT_EQ(period("00000001132312.125000:000"),
            (86'400 + 13 * 3600 + 23 * 60 + 12) * kSecond + 125 * kMillisecond);
  EXPECT_EQ(period("00000000235959.999999:000"), 86'400 * kSecond - kMicrosecond);
}

TEST(TimeoutPeriod, UpToAHundredYearsAreTaken) {
  EXPECT_EQ(period("00036500000000.000000:000"), kMaximumTimeoutPeriod);
  EXPECT_FALSE(parse_interval("00036500000000.000001:000").ok());
  EXPECT_FALSE(parse_interval("00036500000001.000000:000").ok());
  EXPECT_FALSE(parse_interval("99999999235959.999999:000").ok());
}

TEST(TimeoutPeriod, EverythingElseIsAnInvalidParameter) {
  for (const std::string& text : std::vector<std::string>{"1",
                                                          "00",
                                                          " ",
                                                          "90",
                                                          "00000000000000.000000:00",
                                                          "00000000000000.000000:0000",
                                                          "00000000240000.000000:000",
                                                          "00000000006000.000000:000",
                                                          "00000000000060.000000:000",
                                                          "00000000000000,000000:000",
                                                          "00000000000000.000000+000",
                                                          "20261121012136.000000-060",
                                                          "00000000000000.000000:001",
                                                          "00000000000000.000000 000",
                                                          "********000001.000000:000",
                                                          "000000000000**.000000:000",
                                                          "00000000000001.******:000",
                                                          "0000000000000a.000000:000",
                                                          "-0000001000000.000000:000",
                                                          "+0000001000000.000000:000",
                                                          " 0000001000000.000000:000",
                                                          std::string(25, '\0'),
                                                          std::string(25, '0'),
                                                          std::string(1000, '0'),
                                                          "\xFF\xFE"}) {
    const Result<Duration> result = parse_interval(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().code, Code::kInvalidParameter);
    EXPECT_FALSE(result.error().message.empty());
    EXPECT_FALSE(result.error().next.empty());
    for (const char c : result.error().message) EXPECT_TRUE(c >= ' ' && c <= '~');
  }
}

TEST(TimeoutPeriod, EverySingleWrongCharacterIsNoticed) {
  const std::string good = "00000001132312.125000:000";
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = 'x';
    EXPECT_FALSE(parse_interval(bad).ok()) << bad;
  }
}

TEST(TimeoutPeriod, IsWrittenAsItIsRead) {
  EXPECT_EQ(format_interval(0), "00000000000000.000000:000");
  EXPECT_EQ(format_interval(90 * kSecond), "00000000000130.000000:000");
  EXPECT_EQ(format_interval(kMicrosecond + 999), "00000000000000.000001:000");
  EXPECT_EQ(format_interval(std::numeric_limits<Duration>::max()), "00106751234716.854775:000");
  for (const Duration value :
       {kMicrosecond, kMillisecond, kSecond, 86'399 * kSecond + 999'999 * kMicrosecond,
        365 * 86'400 * kSecond, kMaximumTimeoutPeriod}) {
    EXPECT_EQ(period(format_interval(value)), value);
  }
}

}  // namespace
}  // namespace failsim
