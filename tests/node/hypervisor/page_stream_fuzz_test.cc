// The fuzz target without a fuzzer: streams of pages with damage in them, and noise, with fixed
// seeds.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/random.h"
#include "node/hypervisor/checksum.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/page_compression.h"
#include "tests/fuzz/target.h"

namespace failsim::node {
namespace {

void add_number(std::uint64_t number, std::size_t bytes, std::vector<std::uint8_t>& out) {
  for (std::size_t i = 0; i < bytes; ++i) {
    out.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
  }
}

void add_frame(FrameType type, std::uint64_t bytes, const std::vector<std::uint64_t>& table,
               std::size_t entries, std::vector<std::uint8_t>& out) {
  add_number(static_cast<std::uint64_t>(type) - 1, 1, out);
  add_number(entries, 4, out);
  add_number(bytes, 4, out);
  for (const std::uint64_t number : table) add_number(number, 8, out);
}

// What is right, as the target makes frames of it: pages 0 to 3 zero, page 1 written, page 2 a copy
// of it, page 5 compressed.
std::vector<std::uint8_t> recipe() {
  const std::vector<std::byte> page(kPageBytes, std::byte{'x'});
  const std::uint32_t seal = fast_crc32c(0, page);
  std::vector<std::byte> seals;
  append_seals({seal}, seals);
  std::vector<std::uint8_t> made = {1};
  const auto add = [&](std::span<const std::byte> bytes) {
    for (const std::byte one : bytes) made.push_back(static_cast<std::uint8_t>(one));
  };
  add_frame(FrameType::kZeroPages, 0, {0, 4}, 1, made);
  add_frame(FrameType::kPages, kPageBytes, {1, 1}, 1, made);
  add(page);
  add(seals);
  add_frame(FrameType::kCopiedPages, 0, {2, 1, seal}, 1, made);
  PageCompressor compressor;
  const auto smaller = compressor.compress(page);
  add_frame(FrameType::kCompressedPages, smaller.size(), {5, 1}, 1, made);
  add(smaller);
  add(seals);
  return made;
}

TEST(PageStreamFuzz, HoldsForEveryTruncation) {
  const std::vector<std::uint8_t> whole = recipe();
  for (std::size_t size = 0; size <= whole.size(); size += 1 + size / 200) {
    LLVMFuzzerTestOneInput(whole.data(), size);
  }
}

TEST(PageStreamFuzz, HoldsForSeededDamageAndNoise) {
  const std::vector<std::uint8_t> whole = recipe();
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    Random random(seed);
    std::vector<std::uint8_t> bytes = whole;
    if (seed % 3 == 0) {
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    }
    bytes[0] = static_cast<std::uint8_t>(random.next());
    for (std::uint64_t n = random.below(5); n > 0; --n) {
      // Tables more often than pages.
      const std::size_t from = random.below(2) == 0 ? 60 : bytes.size();
      bytes[random.below(from)] = static_cast<std::uint8_t>(random.next());
    }
    if (random.below(4) == 0) bytes.resize(random.below(bytes.size()) + 1);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
}

}  // namespace
}  // namespace failsim::node
