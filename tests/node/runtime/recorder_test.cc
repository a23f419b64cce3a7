#include "node/runtime/recorder.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "cluster/effects_hash.h"
#include "cluster/state/field_hash.h"
#include "storage/recording.h"
#include "tests/temporary_directory.h"

namespace failsim::node {
namespace {

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() { config_.self = 1; }

  std::string path() const { return directory_ / recording_name(1); }
  Recorder recorder(std::uint64_t limit_bytes = kDefaultRecordLimitBytes) const {
    return Recorder(path(), limit_bytes, config_, Recovered(), 0);
  }
  Recording recorded() const {
    Result<Recording> recording = Recording::read(path());
    EXPECT_TRUE(recording.ok()) << recording.error().message;
    return recording.take();
  }

  const TemporaryDirectory directory_;
  MemberConfig config_;
  Effects effects_;
};

TEST_F(RecorderTest, AnEventIsWrittenBeforeItsStepAndTheHashByTheNext) {
  Recorder recorder = this->recorder();
  EXPECT_EQ(recorded().steps(), 0u);
  recorder.begin_step(1, Tick{});
  ASSERT_EQ(recorded().steps(), 1u);
  EXPECT_FALSE(recorded().step(1).effects_hash.has_value());
  effects_.sequence = 5;
  recorder.end_step(effects_);
  recorder.begin_step(2, Persisted{5});
  const std::uint64_t first = hash_effects(effects_, kHashSeed);
  ASSERT_EQ(recorded().steps(), 2u);
  EXPECT_EQ(recorded().step(1).effects_hash, first);
  effects_.clear();
  recorder.end_step(effects_);
  recorder.flush();
  EXPECT_EQ(recorded().step(2).effects_hash, hash_effects(effects_, first));
  EXPECT_EQ(recorded().torn_bytes(), 0u);
}

TEST_F(RecorderTest, AtItsLimitItStopsAndSaysWhy) {
  constexpr std::uint64_t kLimitBytes = 4'000;
  Recorder recorder = this->recorder(kLimitBytes);
  Time now = 0;
  while (recorder.is_recording() && now < 1'000) {
    recorder.begin_step(++now, Tick{});
    recorder.end_step(effects_);
    recorder.flush();
  }
  EXPECT_FALSE(recorder.is_recording());
  EXPECT_LE(std::filesystem::file_size(path()), kLimitBytes);
  EXPECT_GT(recorded().steps(), 10u);
  EXPECT_EQ(recorded().end(), "the limit of 4000 bytes is reached");
  EXPECT_TRUE(recorded().step(recorded().steps()).effects_hash.has_value());
  recorder.begin_step(now, Tick{});  // the node goes on
  recorder.end_step(effects_);
  recorder.flush();
}

TEST_F(RecorderTest, WhatBeginsBeyondTheLimitIsNotRecorded) {
  const Recorder recorder = this->recorder(100);
  EXPECT_FALSE(recorder.is_recording());
  EXPECT_LE(std::filesystem::file_size(path()), 200u);
}

TEST_F(RecorderTest, AnEarlierRecordingIsNeverOverwritten) {
  std::ofstream(path()) << "evidence";
  const Recorder recorder = this->recorder();
  EXPECT_FALSE(recorder.is_recording());
  EXPECT_EQ(std::filesystem::file_size(path()), 8u);
}

TEST_F(RecorderTest, AFileThatCannotBeWrittenEndsTheRecordingAlone) {
  Recorder recorder("/dev/full", kDefaultRecordLimitBytes, config_, Recovered(), 0);
  EXPECT_FALSE(recorder.is_recording());
  recorder.begin_step(1, Tick{});
  recorder.end_step(effects_);
  recorder.flush();
}

TEST_F(RecorderTest, AnEventBeyondAnyMessageEndsTheRecordingNotTheNode) {
  Recorder recorder = this->recorder();
  recorder.begin_step(1, Tick{});
  recorder.end_step(effects_);
  recorder.begin_step(2, StorageFailed{std::string(kMaximumRecordedBytes, 'x')});
  EXPECT_FALSE(recorder.is_recording());
  ASSERT_EQ(recorded().steps(), 1u);
  EXPECT_TRUE(recorded().step(1).effects_hash.has_value());
  EXPECT_NE(recorded().end().find("is too long for it"), std::string::npos);
}

TEST_F(RecorderTest, OneThatRecordsNothingTakesEverything) {
  Recorder recorder;
  EXPECT_FALSE(recorder.is_recording());
  recorder.begin_step(1, Tick{});
  recorder.end_step(effects_);
  recorder.flush();
}

}  // namespace
}  // namespace failsim::node
