// A guest of two hypervisors goes on at its target while its pages follow.

#include <atomic>

#include <gtest/gtest.h>

#include "world.h"

namespace failsim::node {
namespace {

using enum TransferRole;
using enum TransferStage;

// A network whose connections can all be broken, and the next ones refused, until it is healed.
class CutWorld final : public SoundWorld {
 public:
  void cut(bool is_cut) { is_cut_.store(is_cut); }

  std::unique_ptr<DataFaults> connection_to(NodeId) override {
    return std::make_unique<Connection>(is_cut_);
  }
  bool forgets_page() override { return forgets_.exchange(false); }
  void forget_a_page() { forgets_.store(true); }

 private:
  class Connection final : public DataFaults {
   public:
    explicit Connection(const std::atomic<bool>& is_cut) : is_cut_(is_cut) {}
    bool is_broken() override {
      if (is_cut_.load()) was_cut_.store(true);
      return was_cut_.load();
    }
    bool is_held() override { return false; }
    Time admit(iovec*, std::size_t) override { return 0; }

   private:
    const std::atomic<bool>& is_cut_;
    std::atomic<bool> was_cut_ = false;
  };

  std::atomic<bool> is_cut_ = false;
  std::atomic<bool> forgets_ = false;
};

class PostCopy : public testing::Test {
 protected:
  PostCopy() {
    vm.config.set_memory_bytes(16 * kMiB);
    vm.config.set_working_set_bytes(0);
    vm.config.set_dirty_bytes_per_second(std::uint64_t{1} << 30);
    vm.parameters.set_bandwidth_bytes_per_second(32 * kMiB);
    vm.parameters.set_max_rounds(1);
    vm.parameters.set_downtime_limit_ns(10 * kMillisecond);
    vm.parameters.set_on_no_convergence(pb::NO_CONVERGENCE_POST_COPY);
  }

  // Long enough to interfere, whatever else the machine does.
  void follow_slowly() { vm.parameters.set_bandwidth_bytes_per_second(6 * kMiB); }
  // The guest executes at the target, the source serves.
  void come_to_post_copy() {
    one.lease(kHour);
    two.lease(kHour);
    start(one, vm);
    begin_stream(one, 1, two, 2, vm);
    EXPECT_TRUE(one.await(pb::TRANSFER_CONVERGED).post_copy);
    if (following_limit) vm.parameters.set_bandwidth_bytes_per_second(*following_limit);
    TransferOrder finish = vm.transfer(kSource, kFinish, 2);
    finish.post_copy = true;
    finish_ordered = boottime_now();
    one.order(finish);
    one.await(pb::TRANSFER_RELEASED);
    held = two.await(pb::TRANSFER_HOLDS_STATE);
    ++vm.epoch.counter;  // Complete
    two.order(vm.want(pb::GUEST_RUNNING, pb::ORIGIN_IMAGE));
    one.order(vm.want(pb::GUEST_ABSENT));
    resumed = two.await(pb::TRANSFER_RESUMED);
  }
  TransferReport end() {
    const TransferReport here = two.await(pb::TRANSFER_HOLDS_PAGES);
    one.order(vm.transfer(kSource, kDrop, 2));  // PagesComplete
    const TransferReport checked = two.await(pb::TRANSFER_VERIFIED);
    EXPECT_EQ(checked.statistics.digest(), pb::MigrationStatistics::DIGEST_MATCH) << checked.error;
    two.order(vm.transfer(kTarget, kDrop, 1));
    expect_alive(two);
    one.await_that([this] { return one.hypervisor().free_memory() == 64 * kMiB; });
    return here;
  }
  void expect_alive(TestNode& node) {
    const std::uint64_t at = node.hypervisor().live(vm.name).counter();
    node.await_that([&] { return node.hypervisor().live(vm.name).counter() >= at + 3; });
  }

  VolumeInMemory volume;
  CutWorld network;
  TestVm vm;
  TestNode one{volume, 1, 64 * kMiB, nullptr, &network};
  TestNode two{volume, 2, 64 * kMiB, nullptr, &network};
  std::optional<std::uint64_t> following_limit;  // from the order to finish on
  Time finish_ordered = 0;
  TransferReport held;
  TransferReport resumed;
};

TEST_F(PostCopy, TheGuestRunsWhileItsPagesFollowAndEveryPageIsAsItWas) {
  come_to_post_copy();
  EXPECT_GT(held.statistics.remaining_bytes(), kMiB);
  EXPECT_LT(resumed.statistics.downtime_ns(),
            static_cast<Duration>(held.statistics.remaining_bytes()) * kSecond /
                static_cast<Duration>(32 * kMiB))
      << "it waited for the pages";
  const TransferReport here = end();
  EXPECT_EQ(here.statistics.followed_pages(), held.statistics.remaining_bytes() / kPageBytes);
  EXPECT_GT(here.statistics.requested_pages(), 0u);
  EXPECT_GT(here.statistics.stalled_ns(), 0);
}

TEST_F(PostCopy, AModelledGuestSendsItsSizeOnly) {
  vm.config.set_modelled(true);
  come_to_post_copy();
  EXPECT_GT(end().statistics.followed_pages(), 100u);
}

TEST_F(PostCopy, PagesFollowAtTheLimitOfTheLatestOrder) {
  vm.config.set_modelled(true);  // nobody waits for a page, which would go beyond the limit
  following_limit = 8 * kMiB;
  come_to_post_copy();
  two.await(pb::TRANSFER_HOLDS_PAGES);
  const std::uint64_t limited = held.statistics.remaining_bytes() - kMiB;  // the last piece is free
  EXPECT_GT(limited, 4 * kMiB);
  EXPECT_GE(boottime_now() - finish_ordered, time_to_send(limited, 8 * kMiB) - 2 * kMillisecond);
}

TEST_F(PostCopy, PagesFollowFasterAsSoonAsTheirLimitIsLifted) {
  vm.config.set_modelled(true);
  following_limit = 1024;  // which would take hours
  come_to_post_copy();
  vm.parameters.set_bandwidth_bytes_per_second(0);
  TransferOrder lifted = vm.transfer(kSource, kFinish, 2);
  lifted.post_copy = true;
  one.order(lifted);
  end();
}

TEST_F(PostCopy, AConnectionThatBreaksIsReplacedByAnother) {
  follow_slowly();
  come_to_post_copy();
  network.cut(true);
  two.await_that([this] { return two.hypervisor().live(vm.name).has_guest(); });
  const Time until = boottime_now() + 50 * kMillisecond;
  one.await_that([&] { return boottime_now() >= until; });
  EXPECT_FALSE(two.has_reported(pb::TRANSFER_HOLDS_PAGES));
  network.cut(false);
  end();
}

TEST_F(PostCopy, AForgottenPageIsFound) {
  network.forget_a_page();
  come_to_post_copy();
  two.await(pb::TRANSFER_HOLDS_PAGES);
  EXPECT_EQ(two.await(pb::TRANSFER_VERIFIED).statistics.digest(),
            pb::MigrationStatistics::DIGEST_MISMATCH);
}

TEST_F(PostCopy, PagesThatAreGivenUpCostTheGuest) {
  follow_slowly();
  come_to_post_copy();
  one.die();
  TransferOrder drop = vm.transfer(kTarget, kDrop, 1);
  drop.post_copy = true;
  two.order(drop);
  const GuestReport lost = two.await(pb::CONDITION_IMAGE_LOST);
  EXPECT_NE(lost.error.find("will not come"), std::string::npos) << lost.error;
  two.await_that([this] { return two.hypervisor().free_memory() == 64 * kMiB; });
  EXPECT_FALSE(two.has_reported(pb::TRANSFER_HOLDS_PAGES));
  EXPECT_FALSE(two.hypervisor().live(vm.name).has_guest());
}

TEST_F(PostCopy, TheSourceNeverRunsItAgain) {
  come_to_post_copy();
  one.lease(kHour);
  EXPECT_FALSE(one.hypervisor().live(vm.name).executing());
  one.await_that([this] { return !one.hypervisor().live(vm.name).has_guest(); });
  end();
}

TEST_F(PostCopy, AnAbortBeforeTheChangeOfOwnerLetsTheSourceGoOn) {
  one.lease(kHour);
  two.lease(kHour);
  one.order(vm.want(pb::GUEST_RUNNING));
  one.await(pb::CONDITION_RUNNING);
  two.order(vm.transfer(kTarget, kPrepare, 1));
  two.await(pb::TRANSFER_READY);
  one.order(vm.transfer(kSource, kStream, 2));
  one.await(pb::TRANSFER_CONVERGED);
  TransferOrder finish = vm.transfer(kSource, kFinish, 2);
  finish.post_copy = true;
  one.order(finish);
  two.await(pb::TRANSFER_HOLDS_STATE);
  one.order(vm.transfer(kSource, kDrop, 2));
  one.order(vm.want(pb::GUEST_RUNNING));
  two.order(vm.transfer(kTarget, kDrop, 1));
  expect_alive(one);
  two.await_that([this] { return two.hypervisor().free_memory() == 64 * kMiB; });
}

TEST(PresenceMap, TellsTheGuestWhenItsPageOrTheLastOneCame) {
  PresenceMap map(70, {0b1010, 1});
  EXPECT_TRUE(map.has(0));
  EXPECT_FALSE(map.has(1));
  EXPECT_FALSE(map.has(64));
  EXPECT_EQ(map.missing_pages(), 3u);
  int told = 0;
  int asked = 0;
  map.set_arrived([&] { ++told; });
  map.set_wanted([&] { ++asked; });
  map.want(3);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(map.wanted(), 3u);
  map.came(1);
  EXPECT_EQ(told, 0);
  map.came(3);
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(map.wanted());
  map.came(64);
  EXPECT_EQ(told, 2);
  EXPECT_TRUE(map.is_complete());
  EXPECT_EQ(map.missing(), (std::vector<std::uint64_t>{0, 0}));
}

TEST(PresenceMap, KnowsWhatIsNoMapOfTheVm) {
  EXPECT_TRUE(PresenceMap::is_well_formed(64, {~std::uint64_t{0}}));
  EXPECT_TRUE(PresenceMap::is_well_formed(0, {}));
  EXPECT_FALSE(PresenceMap::is_well_formed(65, {0}));
  EXPECT_FALSE(PresenceMap::is_well_formed(65, {0, 2}));
}

}  // namespace
}  // namespace failsim::node
