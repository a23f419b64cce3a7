#include <gtest/gtest.h>

#include "world.h"

namespace failsim::node {
namespace {

class Guests : public testing::Test {
 protected:
  void SetUp() override { node.lease(kHour); }

  std::uint64_t counter() { return node.hypervisor().live(vm.name).counter(); }
  void await_counter(std::uint64_t at_least) {
    node.await_that([&] { return counter() >= at_least; });
  }
  void start() { node::start(node, vm); }
  void stop() {
    node.order(vm.want(pb::GUEST_ABSENT));
    node.await(pb::CONDITION_ABSENT);
  }
  // The witness of S11 and S12: epochs only rise, the counter neither jumps nor falls.
  void check_journal() {
    Epoch epoch;
    std::uint64_t last = 0;
    for (const pb::JournalRecord& record : volume.journal(vm.name)) {
      const Epoch of_record{record.epoch().recovery(), record.epoch().counter()};
      EXPECT_GE(of_record, epoch);
      epoch = of_record;
      if (record.counter() == 0) continue;
      EXPECT_EQ(record.counter(), last + 1);
      last = record.counter();
    }
    EXPECT_GE(last, 1u);
  }

  VolumeInMemory volume;
  TestNode node{volume, 1, 256 * kMiB};
  TestVm vm;
};

TEST_F(Guests, BootsAndCounts) {
  start();
  await_counter(5);
  const auto live = node.hypervisor().live(vm.name);
  EXPECT_TRUE(live.has_guest());
  EXPECT_TRUE(live.executing());
  EXPECT_EQ(live.boot_id(), vm.boot_id);
  EXPECT_FALSE(live.has_transfer());
  check_journal();
}

TEST_F(Guests, IsWatchedWhileItRuns) {
  start();
  node.await_that([&] { return node.hypervisor().live(vm.name).dirty_curve_size() > 0; });
  const auto live = node.hypervisor().live(vm.name);
  for (const auto& point : live.dirty_curve()) {
    EXPECT_GT(point.elapsed_ns(), 0);
    for (const std::uint64_t part : point.bytes()) EXPECT_LE(part, vm.config.memory_bytes());
  }
  stop();
  EXPECT_EQ(node.hypervisor().live(vm.name).dirty_curve_size(), 0);
}

TEST_F(Guests, AFreshBootGoesOnFromTheDisk) {
  start();
  await_counter(3);
  stop();
  EXPECT_FALSE(node.hypervisor().live(vm.name).has_guest());
  const std::uint64_t before = volume.journal(vm.name).back().counter();
  ++vm.boot_id;
  ++vm.epoch.counter;
  start();
  await_counter(before + 3);
  check_journal();
}

TEST_F(Guests, AnotherBootReplacesTheGuest) {
  start();
  await_counter(2);
  ++vm.boot_id;
  start();
  EXPECT_EQ(node.hypervisor().live(vm.name).boot_id(), vm.boot_id);
  await_counter(4);
  check_journal();
}

TEST_F(Guests, ResetOfAVmAsLargeAsTheNodeFitsIntoIt) {
  vm.config.set_memory_bytes(256 * kMiB);
  start();
  ++vm.boot_id;
  start();
}

TEST_F(Guests, FrozenStandsStillAndGoesOn) {
  start();
  await_counter(2);
  node.order(vm.want(pb::GUEST_FROZEN));
  node.await(pb::CONDITION_FROZEN);
  const std::uint64_t frozen_at = counter();
  EXPECT_FALSE(node.hypervisor().live(vm.name).executing());
  EXPECT_EQ(volume.journal(vm.name).back().counter(), frozen_at) << "its disk was not drained";
  node.order(vm.want(pb::GUEST_RUNNING));
  node.await(pb::CONDITION_RUNNING);
  await_counter(frozen_at + 2);
  check_journal();
}

TEST_F(Guests, FrozenIsReportedOnlyWhenItsDiskHasAnswered) {
  start();
  await_counter(1);
  volume.hold(true);
  volume.await_request();
  node.order(vm.want(pb::GUEST_FROZEN));
  node.await_that([&] { return !node.hypervisor().live(vm.name).executing(); });
  EXPECT_FALSE(node.has_reported(pb::CONDITION_FROZEN));
  volume.hold(false);
  node.await(pb::CONDITION_FROZEN);
  EXPECT_EQ(volume.journal(vm.name).back().counter(), counter());
}

TEST_F(Guests, TheEndOfTheLeaseFreezesAndTheNextThaws) {
  start();
  await_counter(2);
  node.lease(0);
  node.await_that([&] { return !node.hypervisor().live(vm.name).executing(); });
  // What was at the disk may still be acknowledged; after that nothing comes.
  node.order(vm.want(pb::GUEST_RUNNING));
  node.await(pb::CONDITION_RUNNING);
  node.lease(kHour);
  const std::uint64_t at = counter();
  await_counter(at + 3);
  check_journal();
}

TEST_F(Guests, WithoutALeaseNothingExecutes) {
  node.lease(0);
  node.order(vm.want(pb::GUEST_RUNNING));
  node.await_that([&] { return node.hypervisor().live(vm.name).has_guest(); });
  EXPECT_FALSE(node.hypervisor().live(vm.name).executing());
  EXPECT_EQ(counter(), 0u);
  node.lease(kHour);
  node.await(pb::CONDITION_RUNNING);
  await_counter(1);
}

TEST_F(Guests, SavedAndRestoredTheyGoOnWhereTheyWere) {
  start();
  await_counter(3);
  node.order(vm.want(pb::GUEST_SAVED));
  node.await(pb::CONDITION_SAVED);
  const std::uint64_t saved_at = volume.journal(vm.name).back().counter();
  EXPECT_FALSE(node.hypervisor().live(vm.name).has_guest());
  node.await_that([&] { return node.hypervisor().free_memory() == 256 * kMiB; });
  ++vm.boot_id;
  node.order(vm.want(pb::GUEST_RUNNING, pb::ORIGIN_SAVED_STATE));
  node.await(pb::CONDITION_RUNNING);
  EXPECT_GE(counter(), saved_at);
  await_counter(saved_at + 2);
  check_journal();
}

TEST_F(Guests, RestoringWhatWasNeverSavedFails) {
  node.order(vm.want(pb::GUEST_RUNNING, pb::ORIGIN_SAVED_STATE));
  node.await_that([&] { return node.hypervisor().free_memory() == 256 * kMiB; });
  EXPECT_FALSE(node.hypervisor().live(vm.name).has_guest());
}

TEST_F(Guests, ASavedStateOlderThanTheDiskIsNotRestored) {
  start();
  await_counter(3);
  node.order(vm.want(pb::GUEST_SAVED));
  node.await(pb::CONDITION_SAVED);
  ++vm.boot_id;
  node.order(vm.want(pb::GUEST_RUNNING, pb::ORIGIN_SAVED_STATE));
  node.await(pb::CONDITION_RUNNING);
  const std::uint64_t saved_at = counter();
  await_counter(saved_at + 2);
  ++vm.boot_id;
  node.order(vm.want(pb::GUEST_RUNNING, pb::ORIGIN_SAVED_STATE));
  const GuestReport lost = node.await(pb::CONDITION_IMAGE_LOST);
  EXPECT_EQ(lost.boot_id, vm.boot_id);
  EXPECT_NE(lost.error.find("only a fresh start"), std::string::npos) << lost.error;
  ++vm.boot_id;
  start();
  await_counter(saved_at + 3);
  check_journal();
}

TEST_F(Guests, TooLargeForTheNodeIsRefusedInASentence) {
  vm.config.set_memory_bytes(300 * kMiB);
  GuestReport refused;
  node.order(vm.want(pb::GUEST_RUNNING));
  refused = node.await_failure();
  EXPECT_EQ(refused.task_result, 3u);
  EXPECT_NE(refused.error.find("300 MiB"), std::string::npos) << refused.error;
  EXPECT_NE(refused.error.find("256 MiB"), std::string::npos) << refused.error;
}

TEST_F(Guests, AStaleOwnerLosesItsGuest) {
  start();
  await_counter(2);
  TestNode other(volume, 2, 256 * kMiB);
  other.lease(kHour);
  TestVm stolen = vm;
  ++stolen.epoch.counter;
  ++stolen.boot_id;
  other.order(stolen.want(pb::GUEST_RUNNING));
  other.await(pb::CONDITION_RUNNING);
  const GuestReport lost = node.await_failure();
  EXPECT_EQ(lost.boot_id, vm.boot_id);
  EXPECT_FALSE(node.hypervisor().live(vm.name).has_guest());
  check_journal();
}

TEST_F(Guests, ANewEpochOfTheSameBootIsRegistered) {
  start();
  await_counter(2);
  ++vm.epoch.counter;
  node.order(vm.want(pb::GUEST_RUNNING));
  await_counter(counter() + 3);
  EXPECT_EQ(volume.journal(vm.name).back().epoch().counter(), vm.epoch.counter);
  check_journal();
}

TEST_F(Guests, ABootCanBeStoppedBeforeItIsThere) {
  volume.hold(true);
  node.order(vm.want(pb::GUEST_RUNNING));
  stop();
  volume.hold(false);
  ++vm.boot_id;
  start();
}

TEST_F(Guests, AThousandModelledVmsRun) {
  TestNode large(volume, 3, std::uint64_t{64} << 40);
  large.lease(kHour);
  TestVm model;
  model.config.set_modelled(true);
  model.config.set_memory_bytes(std::uint64_t{64} << 30);
  for (int i = 0; i < 1000; ++i) {
    model.name = "vm-" + std::to_string(i);
    large.order(model.want(pb::GUEST_RUNNING));
  }
  large.await_that([&] {
    for (int i = 0; i < 1000; ++i) {
      if (large.hypervisor().live("vm-" + std::to_string(i)).counter() < 2) return false;
    }
    return true;
  });
}

TEST_F(Guests, StopGuestsEndsEverything) {
  start();
  node.hypervisor().stop_guests();
  const std::uint64_t at = volume.journal(vm.name).back().counter();
  node.order(vm.want(pb::GUEST_RUNNING));
  node.lease(kHour);
  EXPECT_FALSE(node.hypervisor().live(vm.name).executing());
  EXPECT_EQ(volume.journal(vm.name).back().counter(), at);
}

}  // namespace
}  // namespace failsim::node
