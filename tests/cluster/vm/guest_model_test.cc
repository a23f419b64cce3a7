#include "cluster/vm/guest_model.h"

#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "cluster/migration/precopy.h"
#include "cluster/migration/transfer_rate.h"

namespace failsim {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

pb::VmConfig config_of(pb::DirtyPattern pattern) {
  pb::VmConfig config;
  config.set_memory_bytes(64 * kMiB);
  config.set_dirty_bytes_per_second(20 * kMiB);
  config.set_working_set_bytes(8 * kMiB);
  config.set_pattern(pattern);
  return config;
}

GuestModel fresh(const pb::VmConfig& config) {
  return GuestModel(config, fresh_device_state(config, 42, 0, true));
}

TEST(GuestModel, WritesAtItsRateHoweverTimeIsCut) {
  GuestModel whole = fresh(config_of(pb::PATTERN_UNIFORM));
  GuestModel parts = fresh(config_of(pb::PATTERN_UNIFORM));
  const auto ignore = [](std::uint64_t, std::uint32_t) {};
  EXPECT_EQ(whole.execute(kSecond, 1'000'000, ignore), 20 * kMiB / kPageBytes);
  std::uint64_t writes = 0;
  for (int i = 0; i < 1000; ++i) writes += parts.execute(kMillisecond, 1'000'000, ignore);
  EXPECT_EQ(writes, 20 * kMiB / kPageBytes);
  EXPECT_EQ(whole.state(), parts.state());
}

TEST(GuestModel, EveryWriteRaisesTheCountOfItsPage) {
  GuestModel guest = fresh(config_of(pb::PATTERN_HOT_SET));
  std::map<std::uint64_t, std::uint32_t> last;
  guest.execute(kSecond, 1'000'000, [&](std::uint64_t page, std::uint32_t count) {
    const std::uint32_t before = last.contains(page) ? last[page] : 1;
    EXPECT_EQ(count, before + 1);
    EXPECT_LT(page, 8 * kMiB / kPageBytes);
    last[page] = count;
  });
  for (const auto& [page, count] : last) EXPECT_EQ(guest.state().write_counts[page], count);
}

TEST(GuestModel, WhatExceedsTheQuantumStaysOwedUpToOneSecond) {
  GuestModel guest = fresh(config_of(pb::PATTERN_UNIFORM));
  const auto ignore = [](std::uint64_t, std::uint32_t) {};
  const std::uint64_t a_second = 20 * kMiB / kPageBytes;
  EXPECT_EQ(guest.execute(kSecond / 2, 10, ignore), 10u);
  EXPECT_EQ(guest.execute(0, 1'000'000, ignore), a_second / 2 - 10);
  EXPECT_EQ(guest.execute(100 * kSecond, 1'000'000, ignore), a_second + 1);
}

TEST(GuestModel, SequentialSweepsTheWorkingSet) {
  GuestModel guest = fresh(config_of(pb::PATTERN_SEQUENTIAL));
  std::uint64_t expected = 0;
  guest.execute(kSecond, 1'000'000, [&](std::uint64_t page, std::uint32_t) {
    EXPECT_EQ(page, expected);
    expected = (expected + 1) % (8 * kMiB / kPageBytes);
  });
}

TEST(GuestModel, NineWritesOfTenGoToATenthOfTheWorkingSet) {
  GuestModel guest = fresh(config_of(pb::PATTERN_HOT_SET));
  std::uint64_t hot = 0;
  const std::uint64_t writes = guest.execute(
      kSecond, 1'000'000, [&](std::uint64_t page, std::uint32_t) { hot += page < 204 ? 1 : 0; });
  EXPECT_GT(hot * 100, writes * 87);
  EXPECT_LT(hot * 100, writes * 93);
}

TEST(GuestModel, NoRateMeansNoWrites) {
  pb::VmConfig config = config_of(pb::PATTERN_UNIFORM);
  config.set_dirty_bytes_per_second(0);
  GuestModel guest = fresh(config);
  EXPECT_EQ(guest.write_interval(), kNever);
  EXPECT_EQ(guest.execute(kSecond, 1'000'000, [](std::uint64_t, std::uint32_t) {}), 0u);
}

TEST(GuestModel, GoesOnFromItsDecodedState) {
  const pb::VmConfig config = config_of(pb::PATTERN_HOT_SET);
  const auto ignore = [](std::uint64_t, std::uint32_t) {};
  GuestModel guest = fresh(config);
  guest.execute(333 * kMillisecond, 1'000'000, ignore);
  guest.count();
  const std::optional<DeviceState> travelled = decode_device_state(encode(guest.state()), config);
  ASSERT_TRUE(travelled.has_value());
  ASSERT_EQ(*travelled, guest.state());
  GuestModel moved(config, *travelled);
  guest.execute(kSecond, 1'000'000, ignore);
  moved.execute(kSecond, 1'000'000, ignore);
  EXPECT_EQ(moved.state(), guest.state());
}

TEST(DeviceState, OfAnotherSizeOrBrokenIsRefused) {
  const pb::VmConfig config = config_of(pb::PATTERN_UNIFORM);
  pb::VmConfig larger = config;
  larger.set_memory_bytes(128 * kMiB);
  const std::string bytes = encode(fresh_device_state(config, 1, 2, true));
  EXPECT_TRUE(decode_device_state(bytes, config).has_value());
  EXPECT_FALSE(decode_device_state(bytes, larger).has_value());
  EXPECT_FALSE(decode_device_state(bytes.substr(0, bytes.size() - 1), config).has_value());
  DeviceState outside = fresh_device_state(config, 1, 2, true);
  outside.next_sequential_page = pages_of(config);
  EXPECT_FALSE(decode_device_state(encode(outside), config).has_value());
}

TEST(FreshDeviceState, CountsTellWhetherTheBootStampedThePages) {
  pb::VmConfig config = config_of(pb::PATTERN_UNIFORM);
  EXPECT_EQ(fresh_device_state(config, 1, 0, true).write_counts.front(), 1u);
  config.set_fill(pb::FILL_ZERO);
  EXPECT_EQ(fresh_device_state(config, 1, 0, true).write_counts.front(), 0u);
  EXPECT_TRUE(fresh_device_state(config, 1, 0, false).write_counts.empty());
}

// Distinct bytes that the closed form has dirty so long after nothing was.
std::uint64_t dirty_after(const pb::VmConfig& config, Duration elapsed) {
  const DirtyHabit habit = habit_of(config);
  return habit.dirty_bytes(0, habit.working_set_bytes(), 0,
                           bytes_in(elapsed, habit.steps_per_second()));
}

TEST(HabitOfAGuest, SequentialGrowsUntilTheWorkingSetIsFull) {
  const pb::VmConfig config = config_of(pb::PATTERN_SEQUENTIAL);
  EXPECT_EQ(dirty_after(config, 100 * kMillisecond), 2 * kMiB);
  EXPECT_EQ(dirty_after(config, kSecond), 8 * kMiB);
  EXPECT_EQ(dirty_after(config, 0), 0u);
}

TEST(HabitOfAGuest, UniformFollowsTheClosedForm) {
  const pb::VmConfig config = config_of(pb::PATTERN_UNIFORM);
  // W (1 - 1/e) after W / D = 400 ms: 1294.5 of 2048 pages.
  EXPECT_EQ(dirty_after(config, 400 * kMillisecond) / kPageBytes, 1294u);
  EXPECT_EQ(dirty_after(config, 3600 * kSecond), 8 * kMiB);
}

// The closed form tells what the model does, so that modelled and backed VMs agree.
TEST(HabitOfAGuest, AgreesWithTheModel) {
  for (const auto pattern : {pb::PATTERN_UNIFORM, pb::PATTERN_HOT_SET, pb::PATTERN_SEQUENTIAL}) {
    const pb::VmConfig config = config_of(pattern);
    for (const Duration elapsed : {50 * kMillisecond, 200 * kMillisecond, 900 * kMillisecond}) {
      GuestModel guest = fresh(config);
      DirtyBitmap dirty(guest.pages());
      guest.execute(elapsed, 1'000'000,
                    [&](std::uint64_t page, std::uint32_t) { dirty.set(page); });
      const std::uint64_t expected = dirty_after(config, elapsed) / kPageBytes;
      EXPECT_NEAR(static_cast<double>(dirty.count()), static_cast<double>(expected),
                  static_cast<double>(expected) * 0.05);
    }
  }
}

}  // namespace
}  // namespace failsim
