#include "cluster/migration/transfer_rate.h"

#include <gtest/gtest.h>

namespace failsim {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kGiB = 1024 * kMiB;

TEST(Rate, IsBytesPerSecondAndNothingWithoutTime) {
  EXPECT_EQ(rate_of(kGiB, kSecond), kGiB);
  EXPECT_EQ(rate_of(kGiB, 500 * kMillisecond), 2 * kGiB);
  EXPECT_EQ(rate_of(kGiB, 0), 0u);
  EXPECT_EQ(rate_of(~std::uint64_t{0}, 1), ~std::uint64_t{0});
}

TEST(TimeToSend, RoundsUpAndKnowsNoRate) {
  EXPECT_EQ(time_to_send(0, 0), 0);
  EXPECT_EQ(time_to_send(1, 0), kNever);
  EXPECT_EQ(time_to_send(1, 3), 333'333'334);
  EXPECT_EQ(time_to_send(64 * kMiB, 128 * kMiB), 500 * kMillisecond);
}

TEST(BytesIn, IsTheOtherWayRoundAndDoesNotOverflow) {
  EXPECT_EQ(bytes_in(500 * kMillisecond, 128 * kMiB), 64 * kMiB);
  EXPECT_EQ(bytes_in(-1, kGiB), 0u);
  EXPECT_EQ(bytes_in(kNever, ~std::uint64_t{0}), ~std::uint64_t{0});
}

TEST(Add, StopsAtNever) {
  EXPECT_EQ(add(1, 2), 3);
  EXPECT_EQ(add(kNever, kSecond), kNever);
  EXPECT_EQ(add(kNever - 1, 2), kNever);
}

}  // namespace
}  // namespace failsim
