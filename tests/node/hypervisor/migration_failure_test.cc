#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "node/hypervisor/frames.h"
#include "world.h"

namespace failsim::node {
namespace {

using enum TransferRole;
using enum TransferStage;

class MigrationFailure : public testing::Test {
 protected:
  void SetUp() override {
    one.lease(kHour);
    two.lease(kHour);
    start(one, vm);
  }

  void prepare() {
    two.order(vm.transfer(kTarget, kPrepare, 1));
    two.await(pb::TRANSFER_READY);
  }
  void stream() {
    begin_stream(one, 1, two, 2, vm);
    one.await(pb::TRANSFER_STREAMING);
  }
  void converge() {
    stream();
    one.await(pb::TRANSFER_CONVERGED);
  }
  void release() {
    converge();
    one.order(vm.transfer(kSource, kFinish, 2));
    one.await(pb::TRANSFER_RELEASED);
    two.await(pb::TRANSFER_HOLDS_ALL);
  }
  void abort() { abort_transfer(one, 1, two, 2, vm); }
  std::uint64_t counter() { return one.hypervisor().live(vm.name).counter(); }
  void expect_source_runs() {
    const std::uint64_t at = counter();
    one.await_that([&] { return counter() >= at + 3; });
    EXPECT_TRUE(one.hypervisor().live(vm.name).executing());
    EXPECT_FALSE(one.hypervisor().live(vm.name).has_transfer());
  }
  void expect_nothing_left_at_target() {
    two.await_that([&] { return two.hypervisor().free_memory() == 256 * kMiB; });
    EXPECT_FALSE(two.hypervisor().live(vm.name).has_guest());
  }
  void slow_down() { vm.parameters.set_bandwidth_bytes_per_second(4 * kMiB); }

  VolumeInMemory volume;
  TestVm vm;
  TestNode one{volume, 1, 256 * kMiB};
  TestNode two{volume, 2, 256 * kMiB};
};

TEST_F(MigrationFailure, CancelInSetup) {
  two.order(vm.transfer(kTarget, kPrepare, 1));  // perhaps still preparing
  abort();
  expect_source_runs();
  expect_nothing_left_at_target();
}

TEST_F(MigrationFailure, CancelWhenReady) {
  prepare();
  abort();
  expect_source_runs();
  expect_nothing_left_at_target();
}

TEST_F(MigrationFailure, CancelInDataTransfer) {
  slow_down();
  stream();
  abort();
  expect_source_runs();
  expect_nothing_left_at_target();
}

TEST_F(MigrationFailure, CancelWhenConverged) {
  converge();
  abort();
  expect_source_runs();
  expect_nothing_left_at_target();
}

TEST_F(MigrationFailure, AbortAfterTheReleaseGivesTheGuestBack) {
  release();
  EXPECT_FALSE(one.hypervisor().live(vm.name).executing());
  abort();
  expect_source_runs();
  expect_nothing_left_at_target();
}

TEST_F(MigrationFailure, AReleasedGuestIsThawedByNothingButAnOrderAfterTheDrop) {
  release();
  const std::uint64_t at = counter();
  one.lease(2 * kHour);
  one.order(vm.want(pb::GUEST_RUNNING));  // before the drop: means nothing
  one.await(pb::CONDITION_RUNNING);       // the answer to the order: its guest is there
  EXPECT_FALSE(one.hypervisor().live(vm.name).executing());
  one.order(vm.transfer(kSource, kDrop, 2));
  one.order(vm.transfer(kSource, kDrop, 2));
  two.order(vm.transfer(kTarget, kDrop, 1));
  expect_nothing_left_at_target();
  EXPECT_FALSE(one.hypervisor().live(vm.name).executing());
  EXPECT_EQ(counter(), at);
  one.order(vm.want(pb::GUEST_RUNNING));
  expect_source_runs();
}

TEST_F(MigrationFailure, AfterAnAbortTheNextAttemptSucceeds) {
  slow_down();
  stream();
  abort();
  vm.parameters.clear_bandwidth_bytes_per_second();
  ++vm.attempt;
  EXPECT_EQ(migrate(one, 1, two, 2, vm).statistics.digest(), pb::MigrationStatistics::DIGEST_MATCH);
}

TEST_F(MigrationFailure, TargetDiesInDataTransfer) {
  slow_down();
  stream();
  two.die();
  const TransferReport failed = one.await(pb::TRANSFER_FAILED);
  EXPECT_EQ(failed.task_result, 2u);
  EXPECT_NE(failed.error.find("node-2"), std::string::npos) << failed.error;
  EXPECT_TRUE(one.hypervisor().live(vm.name).executing());
}

TEST_F(MigrationFailure, TargetDiesBeforeTheConnection) {
  prepare();
  two.die();
  one.order(vm.transfer(kSource, kStream, 2));
  EXPECT_NE(one.await(pb::TRANSFER_FAILED).error.find("node-2"), std::string::npos);
  EXPECT_TRUE(one.hypervisor().live(vm.name).executing());
}

TEST_F(MigrationFailure, TargetDiesWhenConverged) {
  converge();
  two.die();
  one.await(pb::TRANSFER_FAILED);
  EXPECT_TRUE(one.hypervisor().live(vm.name).executing());
}

TEST_F(MigrationFailure, TargetDiesInTheBlackout) {
  converge();
  volume.hold(true);  // the guest's disk does not drain: the release cannot be sent
  volume.await_request();
  one.order(vm.transfer(kSource, kFinish, 2));
  one.await_that([&] { return !one.hypervisor().live(vm.name).executing(); });
  two.die();
  volume.hold(false);
  one.await_that([&] {
    return one.has_reported(pb::TRANSFER_FAILED) || one.has_reported(pb::TRANSFER_RELEASED);
  });
  EXPECT_FALSE(one.hypervisor().live(vm.name).executing()) << "nobody has committed an abort";
  one.order(vm.transfer(kSource, kDrop, 2));
  one.order(vm.want(pb::GUEST_RUNNING));
  expect_source_runs();
}

TEST_F(MigrationFailure, SourceDiesInDataTransfer) {
  slow_down();
  stream();
  one.die();
  EXPECT_NE(two.await(pb::TRANSFER_FAILED).error.find("node-1"), std::string::npos);
  expect_nothing_left_at_target();
}

TEST_F(MigrationFailure, SourceDiesAfterTheReleaseAndTheTargetGoesOn) {
  release();
  one.die();
  ++vm.epoch.counter;
  two.order(vm.want(pb::GUEST_RUNNING, pb::ORIGIN_IMAGE));
  two.await(pb::CONDITION_RUNNING);
  EXPECT_EQ(two.await(pb::TRANSFER_VERIFIED).statistics.digest(),
            pb::MigrationStatistics::DIGEST_MATCH);
}

TEST_F(MigrationFailure, TargetWithoutMemoryRefuses) {
  TestVm large = vm;
  large.name = "large";
  large.config.set_memory_bytes(200 * kMiB);
  two.order(large.want(pb::GUEST_RUNNING));
  two.await(pb::CONDITION_RUNNING);
  two.order(vm.transfer(kTarget, kPrepare, 1));
  const TransferReport refused = two.await(pb::TRANSFER_FAILED);
  EXPECT_EQ(refused.task_result, 3u);
  EXPECT_NE(refused.error.find("56 MiB"), std::string::npos) << refused.error;
}

TEST_F(MigrationFailure, AnotherAttemptIsRefused) {
  prepare();
  TestVm other = vm;
  ++other.attempt;
  one.order(other.transfer(kSource, kStream, 2));
  one.await(pb::TRANSFER_FAILED);
  EXPECT_FALSE(two.has_reported(pb::TRANSFER_FAILED));
  one.order(vm.transfer(kSource, kStream, 2));  // the right one still finds its place
  one.await(pb::TRANSFER_CONVERGED);
}

TEST_F(MigrationFailure, ANewAttemptReplacesTheOldReservation) {
  prepare();
  ++vm.attempt;
  prepare();
  two.await_that([&] { return two.hypervisor().free_memory() == 192 * kMiB; });
}

TEST_F(MigrationFailure, AnImageThatIsNotThereIsLost) {
  prepare();
  ++vm.epoch.counter;
  two.order(vm.want(pb::GUEST_RUNNING, pb::ORIGIN_IMAGE));
  const GuestReport lost = two.await(pb::CONDITION_IMAGE_LOST);
  EXPECT_EQ(lost.epoch, vm.epoch);
  EXPECT_NE(lost.error, "");
}

TEST_F(MigrationFailure, ADroppedImageIsLost) {
  release();
  two.order(vm.transfer(kTarget, kDrop, 1));
  ++vm.epoch.counter;
  two.order(vm.want(pb::GUEST_RUNNING, pb::ORIGIN_IMAGE));
  two.await(pb::CONDITION_IMAGE_LOST);
}

TEST_F(MigrationFailure, AVmThatIsNotHereCannotBeSent) {
  vm.name = "unknown";
  prepare();
  one.order(vm.transfer(kSource, kStream, 2));
  EXPECT_NE(one.await(pb::TRANSFER_FAILED).error.find("unknown"), std::string::npos);
}

// A peer that reads nothing, as a stopped process: the socket is full, and the drop is immediate.
TEST_F(MigrationFailure, AStalledPeerDoesNotDelayTheDrop) {
  const Fd listener(socket(AF_INET, SOCK_STREAM, 0));
  const int on = 1;  // connections of the test before may linger
  ASSERT_EQ(setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(TestNode::kPort);
  ASSERT_EQ(inet_pton(AF_INET, TestNode::address(3).c_str(), &address.sin_addr), 1);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  one.order(vm.transfer(kSource, kStream, 3));
  const Fd peer(accept(listener.get(), nullptr, nullptr));
  std::vector<std::byte> welcome;
  append_header({FrameType::kWelcome, 0, 0}, welcome);
  ASSERT_EQ(send(peer.get(), welcome.data(), welcome.size(), 0),
            static_cast<ssize_t>(welcome.size()));
  one.await(pb::TRANSFER_STREAMING);
  const auto sent = [&] { return one.hypervisor().live(vm.name).statistics().bytes_sent(); };
  std::uint64_t before = 0;
  one.await_that([&] { return sent() > 0 && sent() == std::exchange(before, sent()); });
  const Time ordered = boottime_now();
  one.order(vm.transfer(kSource, kDrop, 3));
  one.hypervisor().stop_guests();  // joins the transfer's thread
  EXPECT_LT(boottime_now() - ordered, 2 * kSecond);
}

// While it lives, no descriptor can be opened in this process.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

// Before a member is called the undefined-behaviour sanitizer asks the kernel, through a pipe of
// its own, whether the object can be read; without descriptors it takes every object for a broken
// one.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitizerNeedsDescriptors = true;
#else
constexpr bool kSanitizerNeedsDescriptors = false;
#endif

TEST_F(MigrationFailure, ASourceWithoutDescriptorsSaysSoAndItsGuestRuns) {
  if (kSanitizerNeedsDescriptors) GTEST_SKIP() << "this sanitizer needs descriptors itself";
  prepare();
  {
    const NoDescriptors none;
    one.order(vm.transfer(kSource, kStream, 2));
    const TransferReport failed = one.await(pb::TRANSFER_FAILED);
    EXPECT_NE(failed.error.find("no file descriptor"), std::string::npos) << failed.error;
  }
  abort();
  expect_source_runs();
  expect_nothing_left_at_target();
}

TEST_F(MigrationFailure, ATargetWithoutDescriptorsSaysSo) {
  if (kSanitizerNeedsDescriptors) GTEST_SKIP() << "this sanitizer needs descriptors itself";
  const NoDescriptors none;
  two.order(vm.transfer(kTarget, kPrepare, 1));
  const TransferReport failed = two.await(pb::TRANSFER_FAILED);
  EXPECT_NE(failed.error.find("no file descriptor"), std::string::npos) << failed.error;
}

TEST_F(MigrationFailure, GarbageOnTheDataPortIsRefusedAndDropped) {
  prepare();
  const Fd client(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(TestNode::kPort);
  ASSERT_EQ(inet_pton(AF_INET, TestNode::address(2).c_str(), &address.sin_addr), 1);
  ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string garbage(100, 'x');
  send(client.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
  std::vector<std::byte> answer(1024);
  const ssize_t said = recv(client.get(), answer.data(), answer.size(), 0);
  answer.resize(static_cast<std::size_t>(std::max<ssize_t>(said, 0)));
  EXPECT_NE(decode_refusal(answer).find("corrupted on the way"), std::string::npos);
  EXPECT_LE(recv(client.get(), answer.data(), answer.size(), 0), 0) << "it was not closed";
  one.order(vm.transfer(kSource, kStream, 2));
  one.await(pb::TRANSFER_CONVERGED);
}

}  // namespace
}  // namespace failsim::node
