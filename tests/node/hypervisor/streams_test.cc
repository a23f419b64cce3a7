// A migration over several connections.
#include <filesystem>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "node/hypervisor/frames.h"
#include "world.h"

namespace failsim::node {
namespace {

using enum TransferRole;
using enum TransferStage;

std::size_t entries_of(const char* directory) {
  const std::filesystem::directory_iterator all(directory);
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}
std::size_t threads() {
  return entries_of("/proc/self/task");
}
std::size_t descriptors() {
  return entries_of("/proc/self/fd");
}

// Stops what one of the connections from a node sends; the others go on.
class HoldingWorld final : public SoundWorld {
 public:
  explicit HoldingWorld(std::uint32_t connection) : connection_(connection) {}
  std::unique_ptr<DataFaults> connection_to(NodeId) override {
    struct Held final : DataFaults {
      explicit Held(const HoldingWorld& its_world, bool is_hit) : world(its_world), hit(is_hit) {}
      bool is_broken() override { return hit && world.broken.load(); }
      bool is_held() override { return hit && world.held.load(); }
      Time admit(iovec*, std::size_t) override { return 0; }
      const HoldingWorld& world;
      const bool hit;
    };
    return std::make_unique<Held>(*this, connections_++ == connection_);
  }

  std::atomic<bool> held = false;
  std::atomic<bool> broken = false;

 private:
  const std::uint32_t connection_;
  std::uint32_t connections_ = 0;
};

class Streams : public testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    vm.parameters.set_streams(GetParam());
    one.lease(kHour);
    two.lease(kHour);
    start(one, vm);
  }
  void stream() {
    begin_stream(one, 1, two, 2, vm);
    one.await(pb::TRANSFER_STREAMING);
  }
  void drop() { abort_transfer(one, 1, two, 2, vm); }
  std::uint64_t bytes_sent() { return one.hypervisor().live(vm.name).statistics().bytes_sent(); }
  void expect_source_runs() {
    const std::uint64_t at = one.hypervisor().live(vm.name).counter();
    one.await_that([&] { return one.hypervisor().live(vm.name).counter() > at; });
  }
  void expect_as_before() {
    one.await_that([&] {
      return threads() == threads_before && descriptors() == descriptors_before &&
             two.hypervisor().free_memory() == 256 * kMiB;
    });
  }

  VolumeInMemory volume;
  TestVm vm;
  HoldingWorld world{GetParam() - 1};  // the last stream is hit
  TestNode one{volume, 1, 256 * kMiB, nullptr, &world};
  TestNode two{volume, 2, 256 * kMiB};
  const std::size_t threads_before = threads();
  const std::size_t descriptors_before = descriptors();
};

TEST_P(Streams, EveryPageArrives) {
  vm.config.set_dirty_bytes_per_second(200 * kMiB);
  vm.config.set_working_set_bytes(0);
  const TransferReport there = migrate(one, 1, two, 2, vm);
  EXPECT_EQ(there.statistics.digest(), pb::MigrationStatistics::DIGEST_MATCH) << there.error;
  const TransferReport back = migrate(two, 2, one, 1, vm);
  EXPECT_EQ(back.statistics.digest(), pb::MigrationStatistics::DIGEST_MATCH) << back.error;
}

TEST_P(Streams, ShareTheBandwidth) {
  vm.parameters.set_bandwidth_bytes_per_second(128 * kMiB);
  const Time before = boottime_now();
  migrate(one, 1, two, 2, vm);
  EXPECT_GE(boottime_now() - before, 450 * kMillisecond);
}

TEST_P(Streams, ADropWakesThemAllAlthoughOneIsStuck) {
  vm.parameters.set_bandwidth_bytes_per_second(64 * kMiB);
  stream();
  world.held.store(true);
  std::uint64_t before = 0;
  one.await_that([&] { return bytes_sent() == std::exchange(before, bytes_sent()); });
  const Time ordered = boottime_now();
  drop();
  one.hypervisor().stop_guests();  // joins the transfer's threads
  EXPECT_LT(boottime_now() - ordered, 2 * kSecond);
}

TEST_P(Streams, OneThatBreaksEndsTheTransfer) {
  vm.parameters.set_bandwidth_bytes_per_second(16 * kMiB);
  stream();
  world.broken.store(true);
  EXPECT_NE(one.await(pb::TRANSFER_FAILED).error.find("reset"), std::string::npos);
  two.await(pb::TRANSFER_FAILED);
  drop();
  expect_source_runs();
  expect_as_before();
}

class SeveralStreams : public Streams {};

TEST_P(SeveralStreams, TheTargetHoldsNothingUntilTheLastOneHasDelivered) {
  two.order(vm.transfer(kTarget, kPrepare, 1));
  two.await(pb::TRANSFER_READY);
  one.order(vm.transfer(kSource, kStream, 2));
  one.await(pb::TRANSFER_CONVERGED);
  world.held.store(true);
  one.order(vm.transfer(kSource, kFinish, 2));
  one.await_that([&] { return !one.hypervisor().live(vm.name).executing(); });
  EXPECT_FALSE(two.has_reported(pb::TRANSFER_HOLDS_ALL));
  EXPECT_FALSE(one.has_reported(pb::TRANSFER_RELEASED));
  world.held.store(false);
  one.await(pb::TRANSFER_RELEASED);
  two.await(pb::TRANSFER_HOLDS_ALL);
}

TEST_P(Streams, NothingIsLeftAfterACancel) {
  vm.parameters.set_bandwidth_bytes_per_second(16 * kMiB);
  stream();
  one.await_that([&] { return threads() > threads_before && descriptors() > descriptors_before; });
  drop();
  expect_source_runs();
  expect_as_before();
}

TEST_P(Streams, NothingIsLeftAfterASuccess) {
  migrate(one, 1, two, 2, vm);
  one.await_that([&] {
    return threads() == threads_before && descriptors() == descriptors_before &&
           one.hypervisor().free_memory() == 256 * kMiB &&
           two.hypervisor().free_memory() == 192 * kMiB;
  });
}

TEST_P(Streams, NothingIsLeftWhenTheTargetRefuses) {
  TestVm large = vm;
  large.name = "large";
  large.config.set_memory_bytes(200 * kMiB);
  two.order(large.want(pb::GUEST_RUNNING));
  two.await(pb::CONDITION_RUNNING);
  two.order(vm.transfer(kTarget, kPrepare, 1));
  two.await(pb::TRANSFER_FAILED);
  two.order(vm.transfer(kTarget, kDrop, 1));
  one.await_that(
      [&] { return threads() == threads_before && descriptors() == descriptors_before; });
}

INSTANTIATE_TEST_SUITE_P(Numbers, Streams, testing::Values(1, 2, 4, 8));
INSTANTIATE_TEST_SUITE_P(Numbers, SeveralStreams, testing::Values(2, 4, 8));

// Connections of a source whose idea of the transfer is another one.
TEST(StreamsOfAnotherNumber, AreNotAccepted) {
  VolumeInMemory volume;
  TestVm vm;
  TestNode one(volume, 1, 256 * kMiB);
  TestNode two(volume, 2, 256 * kMiB);
  one.lease(kHour);
  one.order(vm.want(pb::GUEST_RUNNING));
  one.await(pb::CONDITION_RUNNING);
  vm.parameters.set_streams(2);
  two.order(vm.transfer(kTarget, kPrepare, 1));
  two.await(pb::TRANSFER_READY);
  vm.parameters.set_streams(3);
  one.order(vm.transfer(kSource, kStream, 2));
  EXPECT_NE(one.await(pb::TRANSFER_FAILED).error, "");
  EXPECT_FALSE(two.has_reported(pb::TRANSFER_FAILED));
}

}  // namespace
}  // namespace failsim::node
