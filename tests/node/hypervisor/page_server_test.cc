// The source of a post-copy on a slow link, with the target in the hands of the test.
#include "node/hypervisor/page_server.h"

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "node/hypervisor/following_frames.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/memory_budget.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kPages = 64;
constexpr Duration kTargetPatience = 5 * kSecond;

class SlowPostCopy : public testing::Test {
 protected:
  ~SlowPostCopy() override {
    signal_.abort();
    if (server_.joinable()) server_.join();
  }

  void serve(std::uint64_t bandwidth_bytes_per_second) {
    ASSERT_EQ(budget_.reserve(kPages * kPageBytes), MemoryBudget::Answer::kGranted);
    auto memory = std::make_shared<GuestMemory>(budget_, kPages * kPageBytes);
    ASSERT_TRUE(memory->map());
    limit(bandwidth_bytes_per_second);
    server_ = std::thread([this, memory] {
      PageServer server(memory, missing_, 0, bandwidth_, signal_);
      server.serve([this] { return connect(); }, [](std::uint64_t) {});
      memory->retire();
    });
  }
  void limit(std::uint64_t bandwidth_bytes_per_second) {
    bandwidth_.set_rate(bandwidth_bytes_per_second, boottime_now());
    signal_.wake();
  }
  // The target's end of the next connection, over which it has said what is missing.
  std::unique_ptr<Channel> accept() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !connections_.empty(); });
    auto channel = std::make_unique<Channel>(std::move(connections_.front()), own_signal_);
    connections_.pop_front();
    lock.unlock();
    std::vector<std::byte> frame = missing_frame(missing_);
    iovec piece{frame.data(), frame.size()};
    EXPECT_EQ(channel->send(&piece, 1, kTargetPatience), Io::kDone);
    return channel;
  }
  // How many pages the next frame brings; none if the target would have lost its patience.
  std::optional<std::uint32_t> receive(Channel& channel) {
    std::array<std::byte, kFrameHeaderBytes> head;
    if (channel.receive(head.data(), head.size(), kTargetPatience) != Io::kDone) {
      return std::nullopt;
    }
    const FrameHeader header = decode_header(head).value();
    std::vector<std::byte> body(header.runs * sizeof(std::uint64_t) + header.bytes);
    if (channel.receive(body.data(), body.size(), kTargetPatience) != Io::kDone) {
      return std::nullopt;
    }
    return header.runs;
  }

 private:
  std::unique_ptr<Channel> connect() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return {};
    const std::lock_guard lock(mutex_);
    connections_.emplace_back(ends[0]);
    changed_.notify_all();
    return std::make_unique<Channel>(Fd(ends[1]), signal_);
  }

  MemoryBudget budget_{kPages * kPageBytes};
  const std::vector<std::uint64_t> missing_ = {~std::uint64_t{0}};
  SharedBucket bandwidth_{0};
  Signal signal_;
  Signal own_signal_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Fd> connections_;
  std::thread server_;
};

TEST_F(SlowPostCopy, SendsAtOnceWhatGoesInASecond) {
  serve(8 * 1024);
  const auto channel = accept();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(receive(*channel), 2u);
}

TEST_F(SlowPostCopy, SpendsNothingOnWhatDidNotArrive) {
  serve(8 * 1024);
  // Each ends while the next share is waited for.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(receive(*accept()), 2u) << "connection " << i;
}

TEST_F(SlowPostCopy, GoesOnAtOnceWhenItsLimitIsLifted) {
  serve(1);
  const auto channel = accept();
  EXPECT_EQ(receive(*channel), 1u);  // the next one is more than an hour away
  limit(0);
  EXPECT_EQ(receive(*channel), kFollowingPagesMax);
}

TEST_F(SlowPostCopy, SendsLessAtOnceWhenItsLimitIsLowered) {
  serve(16 * 1024);
  const auto channel = accept();
  EXPECT_EQ(receive(*channel), 4u);
  limit(4 * 1024);
  std::optional<std::uint32_t> pages = receive(*channel);
  while (pages == 4u) pages = receive(*channel);  // was on its way before
  EXPECT_EQ(pages, 1u);
}

TEST_F(SlowPostCopy, FillsItsFramesOnAFreeLink) {
  serve(0);
  const auto channel = accept();
  EXPECT_EQ(receive(*channel), kFollowingPagesMax);
}

}  // namespace
}  // namespace failsim::node
