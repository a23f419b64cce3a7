#include "cluster/migration/dirty_watch.h"

#include <gtest/gtest.h>

#include "cluster/migration/told_habit.h"
#include "tests/cluster/migration/watched_guest.h"

namespace failsim {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

pb::VmConfig config_of(pb::DirtyPattern pattern, std::uint64_t memory_mib = 64) {
  pb::VmConfig config;
  config.set_memory_bytes(memory_mib * kMiB);
  config.set_working_set_bytes(16 * kMiB);
  config.set_dirty_bytes_per_second(32 * kMiB);
  config.set_pattern(pattern);
  return config;
}

void expect_near(std::uint64_t found, std::uint64_t real, std::uint64_t percent) {
  EXPECT_GE(found, real - real * percent / 100);
  EXPECT_LE(found, real + real * percent / 100);
}

// What was seen beside the closed form: all of the working set, and an eighth of it.
void expect_as_it_is(const pb::VmConfig& config) {
  const WatchedGuest watched(config, 5);
  const DirtyCurve seen = watched.curve();
  const DirtyHabit real = habit_of(config);
  for (const Duration elapsed : {3 * kMillisecond, 10 * kMillisecond, 100 * kMillisecond,
                                 400 * kMillisecond, kSecond, 3 * kSecond}) {
    SCOPED_TRACE(std::to_string(elapsed / kMillisecond) + " ms");
    const std::uint64_t steps = bytes_in(elapsed, real.steps_per_second());
    expect_near(seen.dirty_bytes(elapsed), real.dirty_bytes(0, real.working_set_bytes(), 0, steps),
                8);
    const std::uint64_t eighth = real.working_set_bytes() / 8;
    expect_near(watched.habit().dirty_bytes(0, eighth, 0, static_cast<std::uint64_t>(elapsed)),
                real.dirty_bytes(0, eighth, 0, steps), 12);
  }
}

TEST(DirtyWatch, SeesAGuestThatWritesEvenly) {
  expect_as_it_is(config_of(pb::PATTERN_UNIFORM));
}

TEST(DirtyWatch, SeesAGuestWithAHotSet) {
  expect_as_it_is(config_of(pb::PATTERN_HOT_SET));
}

TEST(DirtyWatch, SeesASmallWorkingSetInALargeMemory) {
  expect_as_it_is(config_of(pb::PATTERN_UNIFORM, 2048));
}

// It is seen to the page, and so is what it writes.
void expect_sweep(const pb::VmConfig& config, std::uint64_t seed) {
  const DirtyHabit seen = WatchedGuest(config, seed).habit();
  ASSERT_TRUE(seen.is_sweep());
  EXPECT_EQ(seen.position(), SimulatedPrecopy::position_of(config, seed));
  EXPECT_EQ(seen.working_set_bytes(), config.working_set_bytes());
  expect_near(seen.steps_per_second(), config.dirty_bytes_per_second(), 1);
}

TEST(DirtyWatch, SeesThatAGuestWritesInOrderAndWhereItIs) {
  for (std::uint64_t seed = 0; seed < 5; ++seed)
    expect_sweep(config_of(pb::PATTERN_SEQUENTIAL), seed);
}

TEST(DirtyWatch, SeesOrderInASmallPartOfATurn) {
  pb::VmConfig config = config_of(pb::PATTERN_SEQUENTIAL, 256);
  config.set_working_set_bytes(128 * kMiB);
  config.set_dirty_bytes_per_second(2 * kMiB);
  expect_sweep(config, 7);
}

TEST(DirtyWatch, ASweepGoesOnAfterTheLastLook) {
  const DirtyHabit seen = DirtyHabit::sweep({32 * kMiB, 16 * kMiB}, 4 * kMiB);
  EXPECT_EQ(seen.after(kSecond / 4).position(), 12 * kMiB);
  EXPECT_EQ(seen.after(kSecond / 2).position(), 4 * kMiB);
}

TEST(DirtyWatch, NobodyElseWritesInOrder) {
  for (const auto pattern : {pb::PATTERN_UNIFORM, pb::PATTERN_HOT_SET}) {
    pb::VmConfig config = config_of(pattern);
    EXPECT_FALSE(WatchedGuest(config, 5).habit().is_sweep());
    config.set_dirty_bytes_per_second(kMiB / 2);
    EXPECT_FALSE(WatchedGuest(config, 5).habit().is_sweep());
  }
}

// The owner's answer to a forecast made elsewhere.
TEST(DirtyWatch, WhatWasSeenTravels) {
  for (const auto pattern : {pb::PATTERN_UNIFORM, pb::PATTERN_HOT_SET, pb::PATTERN_SEQUENTIAL}) {
    const pb::VmConfig config = config_of(pattern);
    const DirtyHabit seen = WatchedGuest(config, 5).habit();
    pb::PeerMessage::LiveReply reply;
    tell_habit(seen, reply);
    const auto told = habit_told(reply, config.memory_bytes());
    ASSERT_TRUE(told.has_value());
    EXPECT_EQ(told->is_sweep(), seen.is_sweep());
    EXPECT_EQ(told->position(), seen.position());
    EXPECT_EQ(told->in_numbers(), seen.in_numbers());
    EXPECT_EQ(told->curve().seen(), seen.curve().seen());
  }
}

TEST(DirtyWatch, OfWhatCannotBeNothingIsTold) {
  pb::PeerMessage::LiveReply reply;
  EXPECT_FALSE(habit_told(reply, 64 * kMiB).has_value());
  reply.add_dirty_curve()->set_elapsed_ns(-1);
  reply.add_dirty_curve()->add_bytes(kMiB);
  EXPECT_FALSE(habit_told(reply, 64 * kMiB).has_value());
  reply.mutable_sweep()->set_position(5 * kMiB);
  EXPECT_FALSE(habit_told(reply, 64 * kMiB).has_value());
  reply.mutable_sweep()->set_length_bytes(4 * kMiB);
  EXPECT_EQ(habit_told(reply, 64 * kMiB)->position(), kMiB);
}

TEST(DirtyWatch, SaysNothingOfAGuestThatItHardlyKnows) {
  const WatchedGuest watched(config_of(pb::PATTERN_UNIFORM), 5, 100 * kMillisecond);
  EXPECT_TRUE(watched.curve().is_empty());
}

TEST(DirtyCurve, GoesOnBehindItsEndAndNeverBeyondTheMemory) {
  const DirtyModel guest{8 * kMiB, 32 * kMiB};
  std::vector<DirtySpread> seen;
  for (const Duration elapsed : {100 * kMillisecond, 500 * kMillisecond, kSecond, 2 * kSecond}) {
    seen.push_back({elapsed, {guest.dirty_bytes(elapsed)}});
  }
  const DirtyCurve curve(seen, 8 * kMiB, 24 * kMiB);
  expect_near(curve.dirty_bytes(3 * kSecond), guest.dirty_bytes(3 * kSecond), 8);
  EXPECT_LE(curve.dirty_bytes(3600 * kSecond), 24 * kMiB);
}

}  // namespace
}  // namespace failsim
