// The pages of a VM that has left, and may come back.
#include "node/hypervisor/kept_pages.h"

#include <map>

#include <gtest/gtest.h>

#include "world.h"

namespace failsim::node {
namespace {

using enum TransferRole;
using enum TransferStage;

class Returning : public testing::Test {
 protected:
  void SetUp() override {
    one.lease(kHour);
    two.lease(kHour);
    vm.config.set_dirty_bytes_per_second(4 * kMiB);
    vm.config.set_working_set_bytes(4 * kMiB);
    start();
  }
  void start() { node::start(one, vm); }

  static constexpr std::uint64_t kPages = 64 * kMiB / kPageBytes;
  VolumeInMemory volume;
  TestNode one{volume, 1, 256 * kMiB};
  TestNode two{volume, 2, 256 * kMiB};
  TestVm vm;
};

TEST_F(Returning, SendsOnlyWhatChangedSince) {
  EXPECT_EQ(migrate(one, 1, two, 2, vm).statistics.kept_pages(), 0u);
  EXPECT_EQ(one.hypervisor().kept_memory(), 64 * kMiB);
  EXPECT_EQ(one.hypervisor().free_memory(), 256 * kMiB) << "it counts as free";
  const TransferReport back = migrate(two, 2, one, 1, vm);
  EXPECT_EQ(back.statistics.digest(), pb::MigrationStatistics::DIGEST_MATCH) << back.error;
  const std::uint64_t changed = kPages - back.statistics.kept_pages();
  EXPECT_GE(back.statistics.kept_pages(), kPages - 4 * kMiB / kPageBytes);
  // What was dirtied while it was sent goes again.
  EXPECT_LE(back.statistics.bytes_sent(),
            changed * kPageBytes * 105 / 100 + back.statistics.rounds() * 5 * kMiB / 10 + 300'000);
  EXPECT_EQ(one.hypervisor().free_memory(), 192 * kMiB);
}

TEST_F(Returning, APauseSendsNothingButTheDeviceState) {
  vm.config.set_dirty_bytes_per_second(1);  // a page in an hour
  vm.name = "idle";
  start();
  migrate(one, 1, two, 2, vm);
  const TransferReport back = migrate(two, 2, one, 1, vm);
  EXPECT_EQ(back.statistics.digest(), pb::MigrationStatistics::DIGEST_MATCH) << back.error;
  EXPECT_EQ(back.statistics.kept_pages(), kPages);
  EXPECT_LT(back.statistics.bytes_sent(), 100'000u);
}

TEST_F(Returning, OverSeveralStreamsLikewise) {
  vm.parameters.set_streams(4);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(migrate(one, 1, two, 2, vm).statistics.digest(),
              pb::MigrationStatistics::DIGEST_MATCH);
    const TransferReport back = migrate(two, 2, one, 1, vm);
    EXPECT_EQ(back.statistics.digest(), pb::MigrationStatistics::DIGEST_MATCH) << back.error;
    EXPECT_GT(back.statistics.kept_pages(), kPages / 2);
  }
}

TEST_F(Returning, WhatWasKeptIsVerifiedLikeAnyOtherPage) {
  TestNode spoilt(volume, 3, 256 * kMiB,
                  [](GuestMemory& memory) { memory.page(4000)[17] ^= std::byte{1}; });
  spoilt.lease(kHour);
  vm.name = "second";
  node::start(spoilt, vm);
  migrate(spoilt, 3, two, 2, vm);
  const TransferReport back = migrate(two, 2, spoilt, 3, vm);
  EXPECT_GT(back.statistics.kept_pages(), kPages / 2);
  EXPECT_EQ(back.statistics.digest(), pb::MigrationStatistics::DIGEST_MISMATCH);
  EXPECT_NE(back.error.find("page 4000"), std::string::npos) << back.error;
}

TEST_F(Returning, WhatIsKeptGoesFirstWhenMemoryIsWanted) {
  migrate(one, 1, two, 2, vm);
  TestVm large = vm;
  large.name = "large";
  large.config.set_memory_bytes(240 * kMiB);
  node::start(one, large);
  EXPECT_EQ(one.hypervisor().kept_memory(), 0u);
  EXPECT_EQ(one.hypervisor().free_memory(), 16 * kMiB);
}

TEST_F(Returning, WhatIsKeptGoesUnderMemoryPressure) {
  migrate(one, 1, two, 2, vm);
  one.hypervisor().set_memory_pressure(200 * kMiB);
  EXPECT_EQ(one.hypervisor().kept_memory(), 0u);
}

TEST_F(Returning, NothingIsKeptOfAVmThatIsGone) {
  migrate(one, 1, two, 2, vm);
  std::string asked;
  one.hypervisor().keep_pages_if([&](const std::string& name, std::uint64_t boot_id) {
    asked += name + " " + std::to_string(boot_id);
    return true;
  });
  EXPECT_EQ(asked, "web 11");
  EXPECT_EQ(one.hypervisor().kept_memory(), 64 * kMiB);
  one.hypervisor().keep_pages_if([](const std::string&, std::uint64_t) { return false; });
  EXPECT_EQ(one.hypervisor().kept_memory(), 0u);
  two.hypervisor().keep_pages_if([](const std::string&, std::uint64_t) { return false; });
  EXPECT_EQ(two.hypervisor().free_memory(), 192 * kMiB) << "who runs there stays";
}

TEST_F(Returning, AnotherBootFindsNothingKept) {
  migrate(one, 1, two, 2, vm);
  two.order(vm.want(pb::GUEST_ABSENT));
  two.await(pb::CONDITION_ABSENT);
  ++vm.boot_id;
  start();
  EXPECT_EQ(one.hypervisor().kept_memory(), 0u) << "it was started afresh here";
  EXPECT_EQ(migrate(one, 1, two, 2, vm).statistics.kept_pages(), 0u);
}

TEST_F(Returning, ACancelBeforeTheFirstByteKeepsThem) {
  migrate(one, 1, two, 2, vm);
  one.order(vm.transfer(kTarget, kPrepare, 2));
  one.await(pb::TRANSFER_READY);
  EXPECT_EQ(one.hypervisor().kept_memory(), 0u) << "they are in use";
  one.order(vm.transfer(kTarget, kDrop, 2));
  one.await_that([&] { return one.hypervisor().kept_memory() == 64 * kMiB; });
  ++vm.attempt;
  EXPECT_GT(migrate(two, 2, one, 1, vm).statistics.kept_pages(), kPages / 2);
}

TEST(KeptPages, OnlyTheOldestGoIfThatIsEnough) {
  MemoryBudget budget(100 * kMiB);
  Workers workers(1);
  KeptPages kept(budget, workers);
  for (const char* vm : {"old", "new"}) {
    ASSERT_EQ(budget.reserve(40 * kMiB), MemoryBudget::Answer::kGranted);
    kept.keep(vm, 1, {std::make_shared<GuestMemory>(budget, 40 * kMiB), {}});
  }
  EXPECT_EQ(budget.free(), 100 * kMiB);
  MemoryBudget::Answer answer = budget.reserve(60 * kMiB);
  EXPECT_EQ(answer, MemoryBudget::Answer::kSoon);
  workers.stop();  // what was dropped is unmapped
  EXPECT_EQ(budget.reserve(60 * kMiB), MemoryBudget::Answer::kGranted);
  EXPECT_EQ(budget.kept(), 40 * kMiB);
  EXPECT_FALSE(kept.take("old", 1, 40 * kMiB).has_value());
  const auto taken = kept.take("new", 1, 40 * kMiB);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(budget.kept(), 0u);
  EXPECT_EQ(budget.free(), 0u);
  taken->memory->retire();
}

TEST(KeptPages, OfTheGoneAreDroppedAndOthersStay) {
  MemoryBudget budget(100 * kMiB);
  Workers workers(1);
  KeptPages kept(budget, workers);
  for (const char* vm : {"deleted", "there", "anew"}) {
    ASSERT_EQ(budget.reserve(20 * kMiB), MemoryBudget::Answer::kGranted);
    kept.keep(vm, 1, {std::make_shared<GuestMemory>(budget, 20 * kMiB), {}});
  }
  const std::map<std::string, std::uint64_t> boots = {{"there", 1}, {"anew", 2}};
  kept.drop_unless([&](const std::string& vm, std::uint64_t boot_id) {
    const auto found = boots.find(vm);
    return found != boots.end() && found->second == boot_id;
  });
  EXPECT_EQ(budget.kept(), 20 * kMiB);
  const auto taken = kept.take("there", 1, 20 * kMiB);
  ASSERT_TRUE(taken.has_value());
  taken->memory->retire();
}

TEST(KeptPages, AreRefusedToAnotherBootAndGone) {
  MemoryBudget budget(100 * kMiB);
  Workers workers(1);
  KeptPages kept(budget, workers);
  ASSERT_EQ(budget.reserve(40 * kMiB), MemoryBudget::Answer::kGranted);
  kept.keep("web", 1, {std::make_shared<GuestMemory>(budget, 40 * kMiB), {}});
  EXPECT_FALSE(kept.take("web", 2, 40 * kMiB).has_value());
  workers.stop();
  EXPECT_EQ(budget.reserve(100 * kMiB), MemoryBudget::Answer::kGranted);
}

}  // namespace
}  // namespace failsim::node
