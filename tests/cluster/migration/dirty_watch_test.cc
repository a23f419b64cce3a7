#include "cluster/migration/dirty_watch.h"

#include <gtest/gtest.h>

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

// The curve that was seen beside the closed form.
void expect_as_it_is(const pb::VmConfig& config) {
  const DirtyCurve seen = WatchedGuest(config, 5).curve();
  const DirtyHabit real = habit_of(config);
  for (const Duration elapsed : {3 * kMillisecond, 10 * kMillisecond, 100 * kMillisecond,
                                 400 * kMillisecond, kSecond, 3 * kSecond}) {
    SCOPED_TRACE(std::to_string(elapsed / kMillisecond) + " ms");
    const std::uint64_t steps = bytes_in(elapsed, real.steps_per_second());
    expect_near(seen.dirty_bytes(elapsed), real.dirty_bytes(0, real.working_set_bytes(), 0, steps),
                8);
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

TEST(DirtyWatch, SeesThatAGuestWritesInOrderAndWhereItIs) {
  const pb::VmConfig config = config_of(pb::PATTERN_SEQUENTIAL);
  const WatchedGuest watched(config, 5);
  ASSERT_TRUE(watched.curve().is_sweep());
  expect_near(watched.curve().in_numbers().bytes_per_second, 32 * kMiB, 2);
  expect_near(watched.curve().in_numbers().working_set_bytes, 16 * kMiB, 2);
  // What it writes in the next tenth of a second begins where it is.
  const std::uint64_t place = SimulatedPrecopy::position_of(config, 5);
  const std::uint64_t steps = bytes_in(100 * kMillisecond, 32 * kMiB);
  expect_near(watched.habit().dirty_bytes(place, place + steps, 0, steps), steps, 8);
}

TEST(DirtyWatch, NobodyElseWritesInOrder) {
  for (const auto pattern : {pb::PATTERN_UNIFORM, pb::PATTERN_HOT_SET}) {
    EXPECT_FALSE(WatchedGuest(config_of(pattern), 5).curve().is_sweep());
  }
}

TEST(DirtyWatch, SaysNothingOfAGuestThatItHardlyKnows) {
  const WatchedGuest watched(config_of(pb::PATTERN_UNIFORM), 5, 100 * kMillisecond);
  EXPECT_TRUE(watched.curve().is_empty());
}

TEST(DirtyCurve, GoesOnBehindItsEndAndNeverBeyondTheMemory) {
  const DirtyModel guest{8 * kMiB, 32 * kMiB};
  std::vector<DirtyPoint> points;
  for (const Duration elapsed : {100 * kMillisecond, 500 * kMillisecond, kSecond, 2 * kSecond}) {
    points.push_back({elapsed, guest.dirty_bytes(elapsed)});
  }
  const DirtyCurve curve(points, 24 * kMiB);
  expect_near(curve.dirty_bytes(3 * kSecond), guest.dirty_bytes(3 * kSecond), 8);
  EXPECT_LE(curve.dirty_bytes(3600 * kSecond), 24 * kMiB);
}

}  // namespace
}  // namespace failsim
