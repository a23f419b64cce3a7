// How long the pages of a post-copy may take.

#include "cluster/migration/post_copy.h"

#include <gtest/gtest.h>

namespace failsim {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

Duration limit_of(std::uint64_t memory_bytes, std::uint64_t bandwidth) {
  pb::VmConfig config;
  config.set_memory_bytes(memory_bytes);
  pb::MigrationParameters parameters;
  parameters.set_bandwidth_bytes_per_second(bandwidth);
  parameters.set_timeout_ns(kSecond);
  return post_copy_limit(config, parameters);
}

TEST(PostCopyLimit, IsTheTimeForALinkToComeBackAndTwiceTheSendingOnASlowOne) {
  EXPECT_EQ(limit_of(64 * kMebibyte, 0), 34 * kSecond);
}

TEST(PostCopyLimit, OfABandwidthLimitIsLongEnoughForIt) {
  EXPECT_EQ(limit_of(64 * kMebibyte, kMebibyte), 158 * kSecond);
  EXPECT_EQ(limit_of(64 * kMebibyte, 64 * kMebibyte), 34 * kSecond);
}

TEST(PostCopyLimit, OfTheLargestVmAtTheSlowestRateDoesNotOverflow) {
  EXPECT_GT(limit_of(~std::uint64_t{0}, 1), kSecond);
}

TEST(PagesFollow, FromTheChangeOfOwnerUntilTheLastPageIsThere) {
  pb::Vm vm;
  vm.set_job(7);
  pb::Task task;
  task.set_id(7);
  task.mutable_job()->set_post_copy(true);
  task.mutable_job()->set_phase(3);
  EXPECT_FALSE(pages_follow(vm, task));  // Move, before Complete
  vm.set_image_job(7);
  EXPECT_TRUE(pages_follow(vm, task));
  task.mutable_job()->set_phase(0);
  EXPECT_FALSE(pages_follow(vm, task));
}

}  // namespace
}  // namespace failsim
