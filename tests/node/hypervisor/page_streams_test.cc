// The frames of pages, from one memory to another: what a round says of a page arrives, whichever
// way it was said.
#include <cstring>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "cluster/random.h"
#include "node/hypervisor/checksum.h"
#include "node/hypervisor/page_receiver.h"
#include "node/hypervisor/page_stamp.h"
#include "node/hypervisor/round_sender.h"
#include "world.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kPages = 8 * kStripePages;

class PageStreams : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(source.map());
    ASSERT_TRUE(target.map());
    connect();
  }

  void connect(std::uint64_t limit = 0, bool compress = false) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    rounds.reset();
    sender.reset();
    out.emplace(Fd(ends[0]), out_signal);
    in.emplace(Fd(ends[1]), in_signal);
    link.emplace(limit);
    sender.emplace(*out, *link);
    rounds.emplace(*sender, *link, source, RoundSender::Place{0, 1, compress});
    receiver.emplace(*in, target, touched, 0, 1);
  }

  // Sends everything that is dirty, and receives it.
  void round() {
    std::thread receiving([this] { EXPECT_TRUE(receive_round()) << receiver->fault().what; });
    EXPECT_EQ(rounds->send_round({}), Io::kDone);
    EXPECT_EQ(sender->send_header({FrameType::kRoundEnd}), Io::kDone);
    receiving.join();
  }
  bool receive_round() {
    for (;;) {
      std::array<std::byte, kFrameHeaderBytes> bytes;
      if (in->receive(bytes.data(), bytes.size(), 10 * kSecond) != Io::kDone) return false;
      const auto header = decode_header(bytes);
      if (!header) return false;
      if (header->type == FrameType::kRoundEnd) return true;
      if (!receiver->take(*header)) return false;
    }
  }

  void write(std::uint64_t page, std::byte value) {
    source.begin_write(page);
    std::memset(source.page(page), static_cast<int>(value), kPageBytes);
    source.end_write(page);
  }
  // Sixteen letters in no order, each eight times: half a bit a byte.
  void write_text(std::uint64_t page, Random& random) {
    source.begin_write(page);
    for (std::size_t i = 0; i < kPageBytes; i += 8) {
      std::memset(source.page(page) + i, 'a' + static_cast<int>(random.next() % 16), 8);
    }
    source.end_write(page);
  }
  void stamp(std::uint64_t page, std::uint32_t count) {
    source.begin_write(page);
    stamp_page(source.page(page), 1, page, count);
    source.end_write(page);
  }
  void copy(std::uint64_t page, std::uint64_t of) {
    source.begin_write(page);
    copy_words(source.page(page), source.page(of));
    source.end_write(page);
  }
  // Written as a guest writes, while pages are read to be sent: see stamp_page.
  __attribute__((noinline, no_sanitize("thread"))) static void copy_words(std::byte* to,
                                                                          const std::byte* from) {
    auto* words = reinterpret_cast<volatile std::uint64_t*>(to);
    const auto* source_words = reinterpret_cast<const volatile std::uint64_t*>(from);
    for (std::uint64_t i = 0; i < kPageBytes / sizeof *words; ++i) words[i] = source_words[i];
  }
  void expect_same() {
    for (std::uint64_t page = 0; page < kPages; ++page) {
      ASSERT_EQ(std::memcmp(source.page(page), target.page(page), kPageBytes), 0) << page;
    }
  }

  MemoryBudget budget{64 * kMiB};
  bool reserved_source = budget.reserve(kPages * kPageBytes) == MemoryBudget::Answer::kGranted;
  bool reserved_target = budget.reserve(kPages * kPageBytes) == MemoryBudget::Answer::kGranted;
  GuestMemory source{budget, kPages* kPageBytes};
  GuestMemory target{budget, kPages* kPageBytes};
  TouchedPages touched{kPages, false};
  Signal out_signal;
  Signal in_signal;
  std::optional<Channel> out;
  std::optional<Channel> in;
  std::optional<SharedLink> link;
  std::optional<PageSender> sender;
  std::optional<RoundSender> rounds;
  std::optional<PageReceiver> receiver;
};

TEST_F(PageStreams, ZeroPagesAreSaidAndNotSent) {
  stamp(kPages - 1, 1);
  source.dirty().set_all();
  round();
  expect_same();
  EXPECT_EQ(link->zero_pages.load(), kPages - 1);
  EXPECT_LT(link->bytes_sent.load(), 2 * kPageBytes);
}

TEST_F(PageStreams, EverySecondPageOfZerosTakesLittle) {
  for (std::uint64_t page = 0; page < kPages; page += 2) stamp(page, 1);
  source.dirty().set_all();
  round();
  expect_same();
  const std::uint64_t sent = link->bytes_sent.load() - kPages / 2 * kPageBytes;
  EXPECT_LT(sent, kPages / 2 * kPageBytes / 50) << "headers, runs, seals, and the zero pages";
}

TEST_F(PageStreams, APageThatBecomesZeroInALaterRoundIsZeroAtTheTarget) {
  stamp(5, 1);
  stamp(6, 1);
  round();
  write(5, std::byte{0});
  round();
  expect_same();
  EXPECT_EQ(link->zero_pages.load(), 1u);
}

TEST_F(PageStreams, APageLikeOneSentBeforeIsReferredTo) {
  stamp(0, 1);
  round();
  for (std::uint64_t page = 1; page < 1000; ++page) copy(page, 0);
  round();
  expect_same();
  EXPECT_EQ(link->copied_pages.load(), 999u);
  EXPECT_LT(link->bytes_sent.load(), 10 * kPageBytes);
}

TEST_F(PageStreams, APageIsNotReferredToInAVersionTheTargetDoesNotHave) {
  stamp(3, 1);
  round();
  copy(900, 3);
  stamp(3, 2);  // dirty again: the target has version 1, which is that of page 900
  round();
  expect_same();
  stamp(3, 3);
  copy(901, 3);  // both in one piece
  copy(2, 3);
  round();
  expect_same();
}

TEST_F(PageStreams, APageThatChangesAllTheTimeIsNeverTakenForSettled) {
  std::atomic<bool> stop = false;
  stamp(7, 1);
  std::thread guest([&] {
    for (std::uint32_t count = 2; !stop.load(); ++count) {
      stamp(7, count);
      copy(8 + count % 100, 7);
    }
  });
  for (int i = 0; i < 200; ++i) round();
  stop.store(true);
  guest.join();
  round();
  expect_same();
}

TEST_F(PageStreams, LookingForRepeatedPagesEndsWhenThereAreNone) {
  for (std::uint64_t page = 0; page < kPages; ++page) stamp(page, 1);
  round();
  for (std::uint64_t page = 0; page < kPages; ++page) stamp(page, 2);
  round();
  copy(10, 9);
  round();
  expect_same();
  EXPECT_EQ(link->copied_pages.load(), 0u);
}

TEST_F(PageStreams, TextIsCompressedOnASlowLink) {
  connect(16 * kMiB, true);
  Random random(1);
  for (std::uint64_t page = 0; page < kPages; ++page) write_text(page, random);
  round();
  expect_same();
  EXPECT_GT(link->compressed_pages.load(), kPages / 2);
  EXPECT_LT(link->bytes_sent.load(), kPages * kPageBytes / 2);
}

TEST_F(PageStreams, WhatDoesNotCompressGoesAsItIs) {
  connect(256 * kMiB, true);
  for (std::uint64_t page = 0; page < kPages; ++page) stamp(page, 1);
  round();
  expect_same();
  EXPECT_EQ(link->compressed_pages.load(), 0u);
}

TEST_F(PageStreams, AFrameIsAsLongAsTheRateOfTheMomentAllows) {
  EXPECT_EQ(sender->frame_budget(), kFramePageBytesMax);
  link->bandwidth.set_rate(20 * kMiB, 0);
  EXPECT_EQ(sender->frame_budget(), 20 * kMiB / 100);
  link->bandwidth.set_rate(1, 0);
  EXPECT_EQ(sender->frame_budget(), 64u * 1024);
  link->bandwidth.set_rate(0, 0);
  EXPECT_EQ(sender->frame_budget(), kFramePageBytesMax);
}

// What a hostile or broken source could send.
class HostileStream : public PageStreams {
 protected:
  void send(const FrameHeader& header, const std::vector<std::byte>& body) {
    std::vector<std::byte> frame;
    append_header(header, frame);
    frame.insert(frame.end(), body.begin(), body.end());
    iovec piece{frame.data(), frame.size()};
    ASSERT_EQ(out->send(&piece, 1, kSecond), Io::kDone);
  }
  std::string refused(FrameHeader header, const std::vector<PageRun>& runs) {
    std::vector<std::byte> body;
    append_runs(runs, body);
    header.runs = static_cast<std::uint32_t>(runs.size());
    return refused(header, body);
  }
  std::string refused(FrameHeader header, const std::vector<std::byte>& body) {
    header.body_checksum = fast_crc32c(0, body);
    send(header, body);
    out.reset();
    std::array<std::byte, kFrameHeaderBytes> bytes;
    EXPECT_EQ(in->receive(bytes.data(), bytes.size(), kSecond), Io::kDone);
    EXPECT_FALSE(receiver->take(*decode_header(bytes)));
    return receiver->fault().what;
  }
};

TEST_F(HostileStream, PagesOutsideOfTheMemory) {
  EXPECT_NE(refused({FrameType::kZeroPages}, {{kPages, 1}}).find("outside"), std::string::npos);
}

TEST_F(HostileStream, MoreRunsThanAFrameMayHave) {
  const std::vector<PageRun> runs(kZeroRunsMax + 1, PageRun{0, 1});
  EXPECT_NE(refused({FrameType::kZeroPages}, runs).find("too large"), std::string::npos);
}

TEST_F(HostileStream, PagesThatDoNotAddUp) {
  EXPECT_NE(refused({FrameType::kPages, 0, kPageBytes}, {{0, 2}}).find("add up"),
            std::string::npos);
}

TEST_F(HostileStream, ABombOfCompressedPages) {
  EXPECT_NE(refused({FrameType::kCompressedPages, 0, 2 * kPageBytes}, {{0, 1}}).find("larger"),
            std::string::npos);
}

TEST_F(HostileStream, PagesOfAnotherStream) {
  receiver.emplace(*in, target, touched, 1, 2);
  EXPECT_NE(refused({FrameType::kZeroPages}, {{0, 1}}).find("another stream"), std::string::npos);
}

TEST_F(HostileStream, ARunThatReachesIntoAnotherStream) {
  receiver.emplace(*in, target, touched, 0, 2);
  EXPECT_NE(refused({FrameType::kZeroPages}, {{kStripePages - 1, 2}}).find("another stream"),
            std::string::npos);
}

TEST_F(HostileStream, ACopyOfAPageOfAnotherStream) {
  receiver.emplace(*in, target, touched, 0, 2);
  std::vector<std::byte> body;
  append_copies({{0, kStripePages, 7}}, body);
  EXPECT_NE(refused({FrameType::kCopiedPages, 1}, body).find("another stream"), std::string::npos);
}

}  // namespace
}  // namespace failsim::node
