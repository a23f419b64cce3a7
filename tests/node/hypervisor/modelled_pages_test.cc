// A modelled guest is sent: no pages, no connection, and a clock that is a number.
#include "node/hypervisor/modelled_pages.h"

#include <gtest/gtest.h>

#include "source_world.h"

namespace failsim::node {
namespace {

class Modelled : public testing::Test {
 protected:
  // It writes 64 MiB/s in order, to all of its 64 MiB.
  static pb::VmConfig writer() {
    pb::VmConfig config;
    config.set_memory_bytes(64 * kMiB);
    config.set_dirty_bytes_per_second(64 * kMiB);
    config.set_pattern(pb::PATTERN_SEQUENTIAL);
    config.set_modelled(true);
    return config;
  }

  SourceParts source;
  ModelledPages::Moment moment{kSecond, 64 * kMiB};
  Duration time_for_a_part = 0;
  std::uint64_t sent = 0;
  bool is_over = false;
  ModelledPages pages{writer(), source.reports, [this] { return moment; },
                      [this](std::uint64_t bytes) {
                        sent += bytes;
                        moment.executed_until += time_for_a_part;
                        return !is_over;
                      }};
};

TEST_F(Modelled, AllOfItIsDirtyAtFirst) {
  EXPECT_EQ(pages.dirty_bytes(), 64 * kMiB);
}

TEST_F(Modelled, ARoundSendsAllOfAGuestThatStandsStill) {
  ASSERT_TRUE(pages.send_round());
  EXPECT_EQ(sent, 64 * kMiB);
  EXPECT_EQ(pages.dirty_bytes(), 0u);
  EXPECT_EQ(source.reports.statistics().remaining_bytes(), 0u);
}

TEST_F(Modelled, AfterTheRoundTheGuestDirtiesAtItsRate) {
  ASSERT_TRUE(pages.send_round());
  moment.executed_until += kSecond / 4;
  EXPECT_EQ(pages.dirty_bytes(), 16 * kMiB);
}

TEST_F(Modelled, WhatIsDirtiedBehindTheRoundWaitsForTheNext) {
  time_for_a_part = 10 * kMillisecond;
  ASSERT_TRUE(pages.send_round());
  EXPECT_GT(pages.dirty_bytes(), 0u);
  const std::uint64_t left = pages.dirty_bytes();
  time_for_a_part = 0;
  sent = 0;
  ASSERT_TRUE(pages.send_round());
  EXPECT_EQ(sent, left);
}

TEST_F(Modelled, ASlowerGuestHasWrittenAtItsFormerRateUntilTheChange) {
  ASSERT_TRUE(pages.send_round());
  moment.executed_until += kSecond / 4;
  pages.catch_up();
  moment.dirty_bytes_per_second /= 4;
  moment.executed_until += kSecond / 4;
  EXPECT_EQ(pages.dirty_bytes(), 20 * kMiB);
}

TEST_F(Modelled, TheRestOfAPausedGuestIsItsLast) {
  ASSERT_TRUE(pages.send_round());
  moment.executed_until += kSecond / 4;
  ASSERT_TRUE(pages.send_rest());
  EXPECT_EQ(sent, 80 * kMiB);
  EXPECT_EQ(pages.dirty_bytes(), 0u);
}

TEST_F(Modelled, TheRestMayFollowIt) {
  ASSERT_TRUE(pages.send_round());
  moment.executed_until += kSecond / 4;
  const SourceMemory::Rest rest = pages.name_rest();
  EXPECT_TRUE(rest.missing.empty()) << "there are no pages that could be named";
  EXPECT_EQ(rest.bytes, 16 * kMiB);
}

TEST_F(Modelled, ARoundEndsWithTheTransfer) {
  is_over = true;
  EXPECT_FALSE(pages.send_round());
  EXPECT_LT(sent, 64 * kMiB);
}

}  // namespace
}  // namespace failsim::node
