#include "cluster/migration/dirty_model.h"

#include <gtest/gtest.h>

#include "cluster/migration/precopy_course.h"

namespace failsim {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

void expect_near(std::uint64_t found, std::uint64_t real, std::uint64_t percent) {
  EXPECT_GE(found, real - real * percent / 100);
  EXPECT_LE(found, real + real * percent / 100);
}

TEST(DirtyModel, SaturatesAtTheWorkingSet) {
  const DirtyModel guest{64 * kMiB, 16 * kMiB};
  EXPECT_EQ(guest.dirty_bytes(0), 0u);
  expect_near(guest.dirty_bytes(kMillisecond), 64 * kMiB / 1000, 1);
  expect_near(guest.dirty_bytes(250 * kMillisecond), 16 * kMiB * 632 / 1000, 1);  // 1 - 1/e
  EXPECT_EQ(guest.dirty_bytes(kNever), 16 * kMiB);
}

TEST(DirtyModel, WithoutAWorkingSetNothingIsDirty) {
  EXPECT_EQ(DirtyModel{}.dirty_bytes(kSecond), 0u);
}

// A guest that is known, seen through the rounds it would have, is found again. Where hardly any
// page is written twice in a round, nothing can be said of the working set.
void expect_found(const DirtyModel& guest) {
  SCOPED_TRACE(std::to_string(guest.bytes_per_second / kMiB) + " MiB/s");
  constexpr std::uint64_t kMemory = 256 * kMiB;
  constexpr std::uint64_t kLink = 64 * kMiB;
  PrecopyCourse course(DirtyHabit::even(guest), kMemory, kLink);
  CourseRound before = course.next_round();
  DirtyModel found;
  for (int round = 1; round <= 2; ++round) {
    const CourseRound now = course.next_round();
    found = fit({before.duration, round == 1, now.duration, now.sent_bytes, now.dirty_bytes},
                kMemory, found);
    expect_near(found.bytes_per_second, guest.bytes_per_second, 15);
    if (guest.bytes_per_second > kLink) {
      expect_near(found.working_set_bytes, guest.working_set_bytes, 15);
    }
    before = now;
  }
}

TEST(Fit, FindsAGuestBetweenTwoRounds) {
  for (const std::uint64_t rate : {24u, 48u, 64u, 96u, 192u}) {
    expect_found({rate * kMiB, 32 * kMiB});
  }
}

TEST(Fit, FindsAGuestThroughTwoPoints) {
  for (const std::uint64_t rate : {24u, 48u, 64u, 96u, 192u}) {
    const DirtyModel guest{rate * kMiB, 32 * kMiB};
    const DirtyPoint shorter{300 * kMillisecond, guest.dirty_bytes(300 * kMillisecond)};
    const DirtyPoint longer{kSecond, guest.dirty_bytes(kSecond)};
    const DirtyModel found = even_through(shorter, longer, 256 * kMiB);
    expect_near(found.bytes_per_second, guest.bytes_per_second, 2);
    expect_near(found.working_set_bytes, guest.working_set_bytes, 2);
  }
}

TEST(Fit, AGuestThatRewritesEverythingHasAtLeastEightPasses) {
  const DirtyModel found = fit({kSecond, false, kSecond, 32 * kMiB, 32 * kMiB}, 256 * kMiB, {});
  expect_near(found.working_set_bytes, 32 * kMiB, 1);
  expect_near(found.bytes_per_second, 256 * kMiB, 1);
}

TEST(Fit, NoWorkingSetIsLargerThanMemory) {
  // Half of what was sent is dirty again: as little as can be, so nothing saturates.
  const DirtyModel found = fit({kSecond, false, kSecond, 16 * kMiB, 7 * kMiB}, 256 * kMiB, {});
  EXPECT_EQ(found.working_set_bytes, 256 * kMiB);
  expect_near(found.bytes_per_second, 16 * kMiB, 10);
}

TEST(Fit, WithoutTimeNothingIsLearned) {
  const DirtyModel former{kMiB, kMiB};
  EXPECT_EQ(fit({0, false, kSecond, kMiB, kMiB}, kMiB, former), former);
}

}  // namespace
}  // namespace failsim
