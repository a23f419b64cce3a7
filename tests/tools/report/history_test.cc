// A run that is written down and read again is the same run, and a damaged history is told.

#include "tools/report/history.h"

#include <sstream>

#include <gtest/gtest.h>

#include "tests/tools/report/recorded_run.h"
#include "tools/report/judge.h"

namespace failsim::history {
namespace {

const RunIdentity kRun{"a title", "failsim simulate --seed 1", "virtual"};

class Deaf : public Sink {
 public:
  void take(Time, const Fact&) override {}
};

class Judging : public Sink {
 public:
  void take(Time now, const Fact& fact) override { judge.take(now, fact); }
  Judge judge;
};

std::string written(const std::vector<std::pair<Time, Fact>>& facts) {
  std::ostringstream out;
  HistoryWriter writer(out, kRun);
  for (const auto& [at, fact] : facts) writer.take(at, fact);
  return out.str();
}

Result<HistoryEnd> read(const std::string& history) {
  std::istringstream in(history);
  Deaf deaf;
  return read_history(in, deaf);
}

TEST(History, EveryFactOfARunIsReadAsItWasWritten) {
  const RecordedRun run = record_seed(3);
  std::istringstream in(run.history);
  std::ostringstream copy;
  HistoryWriter again(copy, RunIdentity{"seed 3", "failsim simulate", "virtual"});
  const Result<HistoryEnd> end = read_history(in, again);
  ASSERT_TRUE(end.ok()) << end.error().message;
  EXPECT_GT(end.value().facts, 1000u);
  EXPECT_FALSE(end.value().is_torn);
  EXPECT_EQ(copy.str(), run.history);
}

TEST(History, AJudgeOfTheHistoryFindsWhatTheRunFound) {
  const RecordedRun run = record_seed(7);
  std::istringstream in(run.history);
  Judging second;
  ASSERT_TRUE(read_history(in, second).ok());
  EXPECT_EQ(second.judge.findings().evaluations(), run.result.evaluations);
  EXPECT_EQ(second.judge.findings().violations().size(), run.result.violations.size());
}

TEST(History, RecordingARunDoesNotChangeIt) {
  sim::ChaosConfig config;
  config.seed = 5;
  EXPECT_EQ(run_chaos(config).trace_hash, record_seed(5).result.trace_hash);
}

TEST(History, ItsFirstLineTellsTheRun) {
  const Result<HistoryEnd> end = read(written({}));
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end.value().run, kRun);
}

TEST(History, ATornLastLineIsLeftOutAndTold) {
  std::string history = written({{1, ProcessStarted{1}}, {2, ProcessStarted{2}}});
  history.resize(history.size() - 5);
  const Result<HistoryEnd> end = read(history);
  ASSERT_TRUE(end.ok());
  EXPECT_TRUE(end.value().is_torn);
  EXPECT_EQ(end.value().facts, 1u);
}

TEST(History, ADamagedLineIsToldByItsNumber) {
  const std::string history = written({{1, ProcessStarted{1}}});
  for (const char* line :
       {"{\"time_ns\":2,\"kind\":\"process-started\"}", "{\"time_ns\":2,\"kind\":\"nonsense\"}",
        "{\"time_ns\":0,\"kind\":\"process-started\",\"node\":1}", "{\"time_ns\":2,",
        "{\"time_ns\":2,\"kind\":\"process-started\",\"node\":-1}",
        "{\"time_ns\":2,\"kind\":\"event\",\"node\":1,\"number\":7}"}) {
    const Result<HistoryEnd> end = read(history + line + "\n" + "{\"time_ns\":3}\n");
    ASSERT_FALSE(end.ok()) << line;
    EXPECT_EQ(end.error().code, Code::kInvalidData);
    EXPECT_NE(end.error().message.find("Line 3"), std::string::npos) << end.error().message;
  }
}

TEST(History, WhatIsNoHistoryIsRefused) {
  for (const char* content : {"", "{}\n", "{\"failsim_history\":999}\n", "<html>\n"}) {
    EXPECT_FALSE(read(content).ok()) << content;
  }
}

TEST(History, HeartbeatsAreLeftOutUnlessAskedFor) {
  Sent beat;
  beat.id = 1;
  beat.type = "heartbeat";
  EXPECT_EQ(written({{1, beat}, {2, Received{1}}}), written({}));
  std::ostringstream out;
  HistoryWriter all(out, kRun, {.heartbeats = true});
  all.take(1, beat);
  EXPECT_NE(out.str(), written({}));
}

}  // namespace
}  // namespace failsim::history
