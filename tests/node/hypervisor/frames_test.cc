#include "node/hypervisor/frames.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "node/hypervisor/token_bucket.h"

namespace failsim::node {
namespace {

std::array<std::byte, kFrameHeaderBytes> header_bytes(const FrameHeader& header) {
  std::vector<std::byte> bytes;
  append_header(header, bytes);
  std::array<std::byte, kFrameHeaderBytes> array{};
  std::copy(bytes.begin(), bytes.end(), array.begin());
  EXPECT_EQ(bytes.size(), kFrameHeaderBytes);
  return array;
}

TEST(Frames, AHeaderComesBackAsItWas) {
  const auto header = decode_header(header_bytes({FrameType::kPages, 7, 28672}));
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->type, FrameType::kPages);
  EXPECT_EQ(header->runs, 7u);
  EXPECT_EQ(header->bytes, 28672u);
}

TEST(Frames, ABrokenHeaderIsRefused) {
  auto bytes = header_bytes({FrameType::kPages, 7, 28672});
  bytes[0] ^= std::byte{1};
  EXPECT_FALSE(decode_header(bytes).has_value());
  bytes = header_bytes({FrameType::kPages, 7, 28672});
  bytes[4] = std::byte{99};
  EXPECT_FALSE(decode_header(bytes).has_value());
}

TEST(Frames, AHeaderWithAnyBitFlippedIsRefused) {
  const auto sent = header_bytes({FrameType::kDeviceState, 0, 28672, 0xabcdef});
  EXPECT_EQ(decode_header(sent)->body_checksum, 0xabcdefu);
  for (std::size_t bit = 0; bit < 8 * kFrameHeaderBytes; ++bit) {
    auto bytes = sent;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_FALSE(decode_header(bytes).has_value()) << bit;
  }
}

TEST(Frames, SealsComeBackAsTheyWereOrNotAtAll) {
  const std::vector<std::uint64_t> seals = {17, kUnsettledSeal, 0xffffffff};
  std::vector<std::byte> bytes;
  append_seals(seals, bytes);
  EXPECT_EQ(bytes.size(), (seals.size() + 1) * kSealBytes);
  std::vector<std::uint64_t> decoded;
  ASSERT_TRUE(decode_seals(bytes, decoded));
  EXPECT_EQ(decoded, seals);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::vector<std::byte> spoilt = bytes;
    spoilt[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_FALSE(decode_seals(spoilt, decoded)) << bit;
  }
  EXPECT_FALSE(decode_seals({}, decoded));
}

TEST(Frames, RunsMustLieInMemoryAndBeFewEnough) {
  const auto decode = [](std::vector<PageRun> runs, std::uint64_t pages, std::uint64_t most) {
    std::vector<std::byte> encoded;
    append_runs(runs, encoded);
    std::vector<PageRun> decoded;
    const auto sum = decode_runs(encoded, pages, most, decoded);
    if (sum) {
      EXPECT_EQ(decoded, runs);
    }
    return sum;
  };
  EXPECT_EQ(decode({{0, 2}, {9, 1}}, 10, 3), 3u);
  EXPECT_FALSE(decode({{0, 2}, {10, 1}}, 10, 3));
  EXPECT_FALSE(decode({{9, 2}}, 10, 2));
  EXPECT_FALSE(decode({{0, 2}, {4, 1}}, 10, 2));
  EXPECT_FALSE(decode({{3, 0}}, 10, 1));
  EXPECT_FALSE(decode({{1, ~std::uint64_t{0}}}, 10, ~std::uint64_t{0}));
}

TEST(Frames, CopiesMustLieInMemoryAndHaveASeal) {
  const auto decode = [](std::vector<PageCopy> copies) {
    std::vector<std::byte> encoded;
    append_copies(copies, encoded);
    EXPECT_EQ(encoded.size(), copies.size() * kCopyBytes);
    std::vector<PageCopy> decoded;
    const bool good = decode_copies(encoded, 10, decoded);
    if (good) {
      EXPECT_EQ(decoded, copies);
    }
    return good;
  };
  EXPECT_TRUE(decode({{9, 0, 0xffffffff}, {1, 9, 0}}));
  EXPECT_FALSE(decode({{10, 0, 7}}));
  EXPECT_FALSE(decode({{0, 10, 7}}));
  EXPECT_FALSE(decode({{0, 1, kUnsettledSeal}}));
}

TEST(Frames, AWelcomeTellsTheWriteCountsOfWhatWasKept) {
  const std::vector<std::uint32_t> counts = {1, 0, 0xfffffffe};
  const std::vector<std::byte> frame = welcome_frame(counts);
  const auto body = std::span(frame).subspan(kFrameHeaderBytes);
  EXPECT_EQ(body.size(), counts.size() * kWriteCountBytes);
  EXPECT_EQ(decode_write_counts(body), counts);
  EXPECT_EQ(welcome_frame({}).size(), kFrameHeaderBytes);
}

TEST(Frames, ARefusalIsReadOnlyIfItIsWhole) {
  const std::string why = "node-2 has no memory left";
  std::vector<std::byte> frame = message_frame(FrameType::kRefusal, why);
  EXPECT_EQ(decode_refusal(frame), why);
  EXPECT_EQ(decode_refusal(message_frame(FrameType::kHello, why)), "");
  EXPECT_EQ(decode_refusal(std::span(frame).first(frame.size() - 1)), "");
  EXPECT_EQ(decode_refusal(std::span(frame).first(kFrameHeaderBytes - 1)), "");
  frame.back() ^= std::byte{1};
  EXPECT_EQ(decode_refusal(frame), "");
}

TEST(TokenBucket, KeepsTheRateAndSavesNothingUp) {
  TokenBucket bucket(1'000'000);
  const Time start = 10 * kSecond;
  Time now = start;
  for (int i = 0; i < 100; ++i) now = bucket.take(10'000, now);  // 10 ms each
  EXPECT_NEAR(static_cast<double>(now - start), 990e6, 5e6);
  EXPECT_EQ(bucket.take(10'000, now + kSecond), now + kSecond);
  EXPECT_GT(bucket.take(10'000, now + kSecond), now + kSecond + 7 * kMillisecond);
}

TEST(TokenBucket, WhoWakesLateKeepsTheRateUpToTheLatenessThatIsAllowed) {
  TokenBucket bucket(1'000'000, 10 * kMillisecond);
  const Time start = 10 * kSecond;
  Time now = start;
  for (int i = 0; i < 1000; ++i) {  // 1 ms each
    const Time go_at = bucket.take(1000, now);
    if (go_at > now) now = go_at + 8 * kMillisecond;
  }
  EXPECT_NEAR(static_cast<double>(now - start), 1e9, 20e6);
  now += kSecond;
  EXPECT_EQ(bucket.take(20'000, now), now) << "10 ms of it were free";
  EXPECT_EQ(bucket.take(1000, now), now + 10 * kMillisecond);
}

TEST(TokenBucket, WhatIsOwedIsPaidAtAHigherRateAndNoLaterAtALowerOne) {
  const Time now = 10 * kSecond;
  TokenBucket bucket(1000);
  bucket.take(4000, now);
  const Time owed_until = bucket.free_from(now);
  bucket.set_rate(500, now);
  EXPECT_EQ(bucket.free_from(now), owed_until);
  bucket.set_rate(1000 * 1000, now);
  EXPECT_EQ(bucket.free_from(now), now + (owed_until - now) / 2000);
  bucket.set_rate(0, now);
  EXPECT_EQ(bucket.free_from(now), now);
  bucket.set_rate(1000, now);
  EXPECT_EQ(bucket.free_from(now), now) << "what was without a limit is not owed";
}

TEST(TokenBucket, NoLimitNeverWaits) {
  TokenBucket bucket(0);
  EXPECT_EQ(bucket.take(1'000'000'000, 5), 5);
  EXPECT_EQ(bucket.take(1'000'000'000, 5), 5);
}

}  // namespace
}  // namespace failsim::node
