// What the thread of a transfer asks of the guest thread.
#include "node/hypervisor/source_guest.h"

#include <future>

#include <gtest/gtest.h>

#include "world.h"

namespace failsim::node {
namespace {

class AskedGuest : public testing::Test {
 protected:
  void start() {
    scheduler.set_lease(boottime_now() + 3600 * kSecond);
    scheduler.order(vm.want(pb::GUEST_RUNNING));
    runs.get_future().wait();
  }
  void note(const GuestReport& report) {
    if (report.condition == pb::CONDITION_RUNNING) runs.set_value();
  }
  // What the guest thread was asked before is done.
  void await_guest_thread() {
    std::promise<void> done;
    scheduler.with_guest(vm.name, vm.boot_id, [&](Guest*) { done.set_value(); });
    done.get_future().wait();
  }
  std::shared_ptr<SourceGuest> guest() {
    return std::make_shared<SourceGuest>(
        vm.transfer(TransferRole::kSource, TransferStage::kStream, 2), "node1", scheduler, signals);
  }

  TestVm vm;
  std::promise<void> runs;
  VolumeInMemory volume;
  MemoryBudget budget{256 * kMiB};
  Workers workers{1};
  KeptPages kept{budget, workers};
  const std::shared_ptr<VolumePort> port = volume.port();
  GuestScheduler scheduler{"node1",
                           budget,
                           workers,
                           kept,
                           *port,
                           [this](const GuestReport& report) { note(report); },
                           [](const TransferReport&) {},
                           [](const std::string&, TaskId, std::uint64_t, std::string&) {
                             return std::optional<Image>();
                           },
                           nullptr,
                           nullptr};
  const std::shared_ptr<SourceSignals> signals = std::make_shared<SourceSignals>(1);
  const SourceGuest::Wait wait = [this] {
    signals->of(0).wait(kNever);
    return true;
  };
  std::string why;
};

TEST_F(AskedGuest, ThatIsNotHereHasNoMemoryToSend) {
  EXPECT_FALSE(guest()->find(wait, why).has_value());
  EXPECT_EQ(why, "VM 'web' has no guest on node1 to be migrated");
}

TEST_F(AskedGuest, ThatIsNotHereCannotBePaused) {
  EXPECT_FALSE(guest()->freeze(wait, why).has_value());
  EXPECT_EQ(why, "VM 'web' has no guest on node1 that could be paused");
}

TEST_F(AskedGuest, GivesTheMemoryItRunsIn) {
  start();
  const auto found = guest()->find(wait, why);
  ASSERT_TRUE(found.has_value()) << why;
  EXPECT_TRUE(found->memory->is_mapped());
  EXPECT_EQ(found->memory->pages(), vm.config.memory_bytes() / kPageBytes);
}

TEST_F(AskedGuest, CountsItsWritesAndClearsItsDirtyBitsAtOneMoment) {
  vm.config.set_dirty_bytes_per_second(0);
  start();
  const auto asked = guest();
  const auto found = asked->find(wait, why);
  ASSERT_TRUE(found.has_value()) << why;
  found->memory->dirty().set_all();
  const auto counts = asked->count_writes_from_now(wait, why);
  ASSERT_TRUE(counts.has_value()) << why;
  EXPECT_EQ(*counts, std::vector<std::uint32_t>(found->memory->pages(), 1)) << "of its boot";
  EXPECT_EQ(found->memory->dirty().count(), 0u);
}

TEST_F(AskedGuest, HasStoppedBeforeItsLastRequestAtTheDiskIsAnswered) {
  start();
  volume.hold(true);
  volume.await_request();
  const auto asked = guest();
  EXPECT_EQ(asked->stopped_at(), kNever);
  const auto stopped = asked->freeze(wait, why);
  ASSERT_TRUE(stopped.has_value()) << why;
  EXPECT_EQ(asked->stopped_at(), *stopped);
  EXPECT_FALSE(scheduler.view(vm.name)->runnable.load());
  bool has_waited = false;
  const auto state = asked->drained_state(
      [&] {
        has_waited = true;
        volume.hold(false);
        return wait();
      },
      why);
  ASSERT_TRUE(state.has_value()) << why;
  EXPECT_TRUE(has_waited);
  EXPECT_EQ(state->boot_id, vm.boot_id);
}

TEST_F(AskedGuest, ThatIsDestroyedBeforeItHasDrainedIsLost) {
  start();
  volume.hold(true);
  volume.await_request();
  const auto asked = guest();
  ASSERT_TRUE(asked->freeze(wait, why).has_value()) << why;
  scheduler.order(vm.want(pb::GUEST_ABSENT));
  EXPECT_FALSE(asked->drained_state(wait, why).has_value());
  EXPECT_EQ(why, "VM 'web' was stopped on node1");
}

TEST_F(AskedGuest, RunsOnIfTheTransferWasDroppedBeforeItsPause) {
  start();
  signals->drop();
  EXPECT_FALSE(guest()->freeze(wait, why).has_value());
  EXPECT_EQ(why, "") << "whoever has dropped it knows";
  await_guest_thread();
  EXPECT_TRUE(scheduler.view(vm.name)->runnable.load());
}

TEST_F(AskedGuest, MayAnswerATransferThatIsGone) {
  start();
  auto asked = guest();
  asked->find([] { return false; }, why);
  EXPECT_EQ(why, "");
  asked.reset();
  await_guest_thread();
  await_guest_thread();  // a task is destroyed before those of the next turn are performed
  EXPECT_EQ(signals.use_count(), 1) << "the guest thread has let it go";
}

TEST_F(AskedGuest, IsThrottledUntilTheTransferEnds) {
  start();
  const auto asked = guest();
  EXPECT_TRUE(asked->throttle(60));
  EXPECT_FALSE(asked->throttle(60)) << "no change";
  EXPECT_EQ(asked->throttle_percent(), 60u);
  asked->end_throttle();
  EXPECT_EQ(asked->throttle_percent(), 0u);
  EXPECT_TRUE(asked->throttle(60)) << "it had ended";
}

}  // namespace
}  // namespace failsim::node
