// What a target takes from the streams of a source, and what it refuses.
#include "node/hypervisor/target_streams.h"

#include <array>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "cluster/vm/guest_model.h"
#include "node/hypervisor/following_frames.h"
#include "node/hypervisor/page_sender.h"
#include "node/hypervisor/page_stamp.h"
#include "world.h"

namespace failsim::node {
namespace {

constexpr std::uint32_t kStreams = 2;
constexpr std::uint64_t kPages = 4 * kStripePages;  // of each stream two stripes
constexpr const char* kCorrupted =
    "was corrupted on the way, as the checksum of a frame shows; see that the network between them "
    "is sound";

std::vector<std::byte> flipped(std::vector<std::byte> frame) {
  frame.back() ^= std::byte{4};
  return frame;
}

// The source is the other ends of the sockets. What it says is small, so it is said before anybody
// listens.
class TargetOfStreams : public testing::Test {
 protected:
  static TransferOrder order_of(bool is_modelled) {
    TestVm vm;
    vm.config.set_memory_bytes(kPages * kPageBytes);
    vm.config.set_modelled(is_modelled);
    return vm.transfer(TransferRole::kTarget, TransferStage::kPrepare, 1);
  }

  void SetUp() override { begin(false); }
  void begin(bool is_modelled) {
    order = order_of(is_modelled);
    memory = std::make_unique<GuestMemory>(reserved(), kPages * kPageBytes);
    ASSERT_TRUE(is_modelled || memory->map());
    streams.emplace(order, TargetStreams::Nodes{.source = "node1", .target = "node2"}, signals,
                    *memory, false);
    for (Fd& source : sources) {
      int ends[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
      source = Fd(ends[0]);
      streams->add(Fd(ends[1]), nullptr);
    }
  }
  MemoryBudget& reserved() {
    EXPECT_EQ(budget.reserve(kPages * kPageBytes), MemoryBudget::Answer::kGranted);
    return budget;
  }

  // ---- what the source says ----
  void say(std::size_t stream, const std::vector<std::byte>& frame) {
    ASSERT_EQ(send(sources[stream].get(), frame.data(), frame.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(frame.size()));
  }
  void say(std::size_t stream, const FrameHeader& header) {
    std::vector<std::byte> frame;
    append_header(header, frame);
    say(stream, frame);
  }
  DeviceState state(bool has_counts = true) const {
    return fresh_device_state(order.config, order.boot_id, 9, has_counts);
  }
  std::vector<std::byte> state_frame() const {
    return message_frame(FrameType::kDeviceState, encode(state()));
  }
  pb::TransferRelease release() const {
    pb::TransferRelease release;
    release.set_job(order.job);
    release.set_attempt(order.attempt);
    release.set_frozen_at_ns(123);
    return release;
  }
  void say_release(const pb::TransferRelease& release) {
    say(0, message_frame(FrameType::kRelease, release.SerializeAsString()));
  }
  void end(std::size_t stream) { say(stream, FrameHeader{FrameType::kStreamEnd}); }
  void send_page(std::size_t stream, std::uint64_t page) {
    GuestMemory from(reserved(), kPages * kPageBytes);
    ASSERT_TRUE(from.map());
    stamp_page(from.page(page), order.boot_id, page, 7);
    Signal signal;
    Channel channel(Fd(dup(sources[stream].get())), signal);
    SharedLink link{0};
    PageSender sender(channel, link);
    PageRuns runs;
    runs.append(page);
    ASSERT_EQ(sender.send_pages(from, runs), Io::kDone);
    ASSERT_EQ(sender.flush(), Io::kDone);
  }

  // ---- what becomes of it ----
  bool receive(std::vector<std::uint32_t> kept_counts = {}) {
    return streams->receive(std::move(kept_counts), failure);
  }
  void expect_refused_after_state(const pb::TransferRelease& release) {
    say(0, state_frame());
    say_release(release);
    expect_refused("contains a release of something else");
  }
  void expect_refused(const std::string& what,
                      VMTaskResult result = VMTaskResult::kIllegalValueError) {
    EXPECT_FALSE(receive());
    EXPECT_EQ(failure.message, "the stream of VM 'web' from node1 to node2 " + what);
    EXPECT_EQ(failure.result, result);
    const std::vector<std::byte> told = heard(0);
    ASSERT_GT(told.size(), kFrameHeaderBytes) << "only the welcome";
    EXPECT_EQ(decode_refusal(std::span(told).subspan(kFrameHeaderBytes)), failure.message);
  }
  // All that the target has said on a stream.
  std::vector<std::byte> heard(std::size_t stream) {
    std::vector<std::byte> bytes(64 * 1024);
    const ssize_t size = recv(sources[stream].get(), bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return bytes;
  }
  void leave(std::size_t stream) { EXPECT_EQ(shutdown(sources[stream].get(), SHUT_WR), 0); }
  bool is_closed(std::size_t stream) {
    std::byte byte{};
    return recv(sources[stream].get(), &byte, 1, 0) == 0;
  }

  TransferOrder order;
  StreamSignals signals{kStreams};
  MemoryBudget budget{64 * kMiB};
  std::unique_ptr<GuestMemory> memory;
  std::array<Fd, kStreams> sources;
  std::optional<TargetStreams> streams;
  Failure failure;
};

TEST_F(TargetOfStreams, HasAllThatCameWhenAllStreamsHaveEnded) {
  send_page(0, 1);
  send_page(1, kStripePages + 1);
  say(0, FrameHeader{FrameType::kRoundEnd});
  say(0, state_frame());
  say_release(release());
  end(1);
  ASSERT_TRUE(receive()) << failure.message;
  for (const std::uint64_t page : {std::uint64_t{1}, kStripePages + 1}) {
    EXPECT_TRUE(page_matches(memory->page(page), order.boot_id, page, 7)) << page;
  }
  ASSERT_TRUE(streams->received().state.has_value());
  EXPECT_EQ(*streams->received().state, state());
  EXPECT_EQ(streams->received().release.frozen_at_ns(), 123);
  EXPECT_FALSE(streams->received().missing.has_value());
}

TEST_F(TargetOfStreams, TellsTheFirstStreamWhatItHasKeptAndWelcomesTheOthers) {
  const std::vector<std::uint32_t> counts(kPages, 4);
  say(0, state_frame());
  say_release(release());
  end(1);
  ASSERT_TRUE(receive(counts)) << failure.message;
  EXPECT_EQ(heard(0), welcome_frame(counts));
  EXPECT_EQ(heard(1), welcome_frame({}));
}

TEST_F(TargetOfStreams, ClosesItsConnectionsWhenItGoes) {
  say(0, state_frame());
  say_release(release());
  end(1);
  ASSERT_TRUE(receive()) << failure.message;
  for (std::size_t stream = 0; stream < kStreams; ++stream) heard(stream);
  streams.reset();
  for (std::size_t stream = 0; stream < kStreams; ++stream) EXPECT_TRUE(is_closed(stream));
}

// ---- pages that will follow ---------------------------------------------------------------------

TEST_F(TargetOfStreams, KnowsWhichPagesWillFollow) {
  std::vector<std::uint64_t> missing(kPages / 64);
  missing[3] = 5;
  say(0, missing_frame(missing));
  say(0, state_frame());
  pb::TransferRelease follow = release();
  follow.set_pages_follow(true);
  say_release(follow);
  end(1);
  ASSERT_TRUE(receive()) << failure.message;
  EXPECT_EQ(streams->received().missing, missing);
}

TEST_F(TargetOfStreams, RefusesPagesThatWillFollowAndHaveNoNames) {
  say(0, state_frame());
  pb::TransferRelease follow = release();
  follow.set_pages_follow(true);
  say_release(follow);
  expect_refused("contains a release of something else");
}

TEST_F(TargetOfStreams, RefusesTheNamesOfPagesThatWillNotFollow) {
  say(0, missing_frame(std::vector<std::uint64_t>(kPages / 64)));
  say(0, state_frame());
  say_release(release());
  expect_refused("contains a release of something else");
}

TEST_F(TargetOfStreams, RefusesTheNamesOfTooManyPages) {
  say(0, missing_frame(std::vector<std::uint64_t>(kPages / 64 + 1)));
  expect_refused("names pages that will follow, and not those of the VM");
}

TEST_F(TargetOfStreams, OfAModelledVmNoPagesHaveNamesAndNoCountsAreTold) {
  begin(true);
  say(0, missing_frame({}));
  say(0, message_frame(FrameType::kDeviceState, encode(state(false))));
  pb::TransferRelease follow = release();
  follow.set_pages_follow(true);
  say_release(follow);
  end(1);
  ASSERT_TRUE(receive()) << failure.message;
  EXPECT_EQ(streams->received().missing, std::vector<std::uint64_t>());
}

// ---- what is refused ----------------------------------------------------------------------------

TEST_F(TargetOfStreams, RefusesAReleaseBeforeTheState) {
  say_release(release());
  expect_refused("contains a release of something else");
}

TEST_F(TargetOfStreams, RefusesTheReleaseOfAnotherAttempt) {
  pb::TransferRelease another = release();
  another.set_attempt(order.attempt + 1);
  expect_refused_after_state(another);
}

TEST_F(TargetOfStreams, RefusesTheReleaseOfAnotherJob) {
  pb::TransferRelease another = release();
  another.set_job(order.job + 1);
  expect_refused_after_state(another);
}

TEST_F(TargetOfStreams, RefusesAReleaseThatIsTooLargeBeforeItIsRead) {
  say(0, state_frame());
  say(0, FrameHeader{FrameType::kRelease, 0, std::uint64_t{1} << 60});
  expect_refused("contains a release that is too large");
}

TEST_F(TargetOfStreams, RefusesAStateThatIsTooLargeBeforeItIsRead) {
  say(0, FrameHeader{FrameType::kDeviceState, 0, std::uint64_t{1} << 60});
  expect_refused("contains a device state that is too large");
}

TEST_F(TargetOfStreams, RefusesAStateWithoutTheCountsOfItsPages) {
  say(0, message_frame(FrameType::kDeviceState, encode(state(false))));
  expect_refused("contains a device state that does not fit the VM");
}

TEST_F(TargetOfStreams, TakesAStateOnItsFirstStreamOnly) {
  say(1, state_frame());
  expect_refused("contains what belongs to its first connection");
}

TEST_F(TargetOfStreams, RefusesThePagesOfAnotherStream) {
  send_page(1, 0);
  expect_refused("contains pages of another stream");
}

TEST_F(TargetOfStreams, RefusesAGreetingInTheMiddle) {
  say(0, message_frame(FrameType::kHello, "hello"));
  expect_refused("contains a greeting in the middle of the stream");
}

TEST_F(TargetOfStreams, RefusesAMessageThatIsNotAsItWasSent) {
  say(0, flipped(state_frame()));
  expect_refused(kCorrupted, VMTaskResult::kUnexpectedError);
}

TEST_F(TargetOfStreams, RefusesAHeaderThatIsNotAsItWasSent) {
  std::vector<std::byte> frame;
  append_header({FrameType::kStreamEnd}, frame);
  say(1, flipped(frame));
  expect_refused(kCorrupted, VMTaskResult::kUnexpectedError);
}

// ---- connections --------------------------------------------------------------------------------

TEST_F(TargetOfStreams, IsNotCompleteWithoutOneOfItsStreams) {
  say(0, state_frame());
  say_release(release());
  leave(1);
  EXPECT_FALSE(receive());
  EXPECT_EQ(failure.message,
            "receiving VM 'web' from node1 on node2 failed after 0 MiB: the other side closed the "
            "connection");
  EXPECT_EQ(failure.result, VMTaskResult::kUnexpectedError);
}

TEST_F(TargetOfStreams, SaysHowMuchHadComeWhenItsSourceWent) {
  begin(true);
  say(0, FrameHeader{FrameType::kModelled, 0, 5 * kMiB});
  leave(0);
  EXPECT_FALSE(receive());
  EXPECT_EQ(failure.message,
            "receiving VM 'web' from node1 on node2 failed after 5 MiB: the other side closed the "
            "connection");
}

TEST_F(TargetOfStreams, HasNothingToSayWhenItWasDropped) {
  signals.abort_all();
  EXPECT_FALSE(receive());
  EXPECT_EQ(failure.message, "");
}

}  // namespace
}  // namespace failsim::node
