#include "cluster/wire/frame.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/random.h"
#include "tests/fuzz/target.h"

namespace failsim {
namespace {

std::vector<std::string> payloads_of(FrameDecoder& decoder) {
  std::vector<std::string> payloads;
  while (const auto payload = decoder.next()) payloads.emplace_back(*payload);
  return payloads;
}

TEST(Frame, EveryPayloadComesBackAsItWas) {
  FrameDecoder decoder;
  const std::vector<std::string> sent = {"", "x", std::string(100'000, '\0'), "last"};
  for (const std::string& payload : sent) decoder.feed(encode_frame(payload));
  EXPECT_EQ(payloads_of(decoder), sent);
  EXPECT_EQ(decoder.fault(), FrameFault::kNone);
}

TEST(Frame, StandsOnTheWireAsTheHeaderSays) {
  const std::string frame = encode_frame("abc");
  ASSERT_EQ(frame.size(), kFrameHeaderBytes + 3);
  EXPECT_EQ(frame.substr(0, 8), std::string("\x03\0\0\0\x01\0\0\0", 8));
  EXPECT_EQ(frame.substr(kFrameHeaderBytes), "abc");
}

TEST(Frame, AStreamCutAnywhereWaitsForTheRest) {
  const std::string stream = encode_frame("first") + encode_frame("second");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    FrameDecoder decoder;
    decoder.feed(stream.substr(0, cut));
    std::vector<std::string> received = payloads_of(decoder);
    EXPECT_EQ(decoder.fault(), FrameFault::kNone) << cut;
    decoder.feed(stream.substr(cut));
    for (std::string& payload : payloads_of(decoder)) received.push_back(std::move(payload));
    EXPECT_EQ(received, (std::vector<std::string>{"first", "second"})) << cut;
  }
}

TEST(Frame, AFlippedBitIsNeverDelivered) {
  const std::string frame = encode_frame("payload");
  for (std::size_t bit = 0; bit < 8 * frame.size(); ++bit) {
    std::string damaged = frame;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    FrameDecoder decoder;
    decoder.feed(damaged);
    EXPECT_TRUE(payloads_of(decoder).empty()) << bit;
    EXPECT_NE(decoder.fault(), FrameFault::kNone) << bit << ": the stream would be deaf";
    FrameFault fault = FrameFault::kNone;
    EXPECT_FALSE(decode_datagram(damaged, fault)) << bit;
    EXPECT_NE(fault, FrameFault::kNone) << bit;
  }
}

TEST(Frame, AnOversizedLengthIsRefusedBeforeItsBytesCome) {
  std::string header = encode_frame("").substr(0, kFrameHeaderBytes);
  header.replace(0, 4, std::string("\x01\0\x80\0", 4));  // 8 MiB and one byte
  FrameDecoder decoder;
  decoder.feed(header);
  EXPECT_FALSE(decoder.next());
  EXPECT_EQ(decoder.fault(), FrameFault::kOversized);
  decoder.feed(encode_frame("late"));
  EXPECT_FALSE(decoder.next());
}

TEST(Frame, TheLargestPayloadPasses) {
  FrameDecoder decoder;
  decoder.feed(encode_frame(std::string(kMaximumPayloadBytes, 'x')));
  EXPECT_EQ(decoder.next()->size(), kMaximumPayloadBytes);
}

TEST(Frame, AnotherWireVersionIsTold) {
  std::string frame = encode_frame("payload");
  frame[4] = 2;
  FrameDecoder decoder;
  decoder.feed(frame);
  EXPECT_FALSE(decoder.next());
  EXPECT_EQ(decoder.fault(), FrameFault::kWrongVersion);
}

TEST(Frame, ADatagramIsOneWholeFrame) {
  const std::string frame = encode_frame("beat");
  FrameFault fault = FrameFault::kCorrupt;
  EXPECT_EQ(decode_datagram(frame, fault), "beat");
  EXPECT_EQ(fault, FrameFault::kNone);
  EXPECT_FALSE(decode_datagram(frame + "x", fault));
  EXPECT_FALSE(decode_datagram(frame + frame, fault));
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(decode_datagram(frame.substr(0, size), fault)) << size;
  }
}

// Frames with damage in them, and noise: as the fuzz target, with fixed seeds.
TEST(Frame, SurvivesArbitraryBytes) {
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    Random random(seed);
    std::string bytes;
    for (std::uint64_t n = random.below(4); n > 0; --n) {
      bytes += encode_frame(std::string(random.below(40), static_cast<char>(random.next())));
    }
    for (std::uint64_t n = random.below(4); n > 0 && !bytes.empty(); --n) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    }
    for (std::uint64_t n = random.below(20); n > 0; --n) {
      bytes.push_back(static_cast<char>(random.next()));
    }
    const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(copy.data(), copy.size());
  }
}

}  // namespace
}  // namespace failsim
