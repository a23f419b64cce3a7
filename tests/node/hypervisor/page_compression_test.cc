#include "node/hypervisor/page_compression.h"

#include <cstring>

#include <gtest/gtest.h>

#include "cluster/migration/precopy.h"
#include "node/hypervisor/page_stamp.h"

namespace failsim::node {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

std::vector<std::byte> text_page() {
  std::vector<std::byte> page(kPageBytes);
  for (std::size_t i = 0; i < page.size(); ++i) page[i] = static_cast<std::byte>('a' + i % 7);
  return page;
}

TEST(PageCompression, WhatIsCompressedComesBack) {
  PageCompressor compressor;
  PageDecompressor decompressor;
  const std::vector<std::byte> page = text_page();
  const auto smaller = compressor.compress(page);
  ASSERT_FALSE(smaller.empty());
  EXPECT_LT(smaller.size(), kPageBytes / 10);
  const auto again = decompressor.decompress(smaller, page.size());
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(std::equal(again->begin(), again->end(), page.begin(), page.end()));
}

TEST(PageCompression, PagesOfTheSimulatedGuestDoNotBecomeSmaller) {
  alignas(8) std::byte page[kPageBytes];
  stamp_page(page, 1, 2, 3);
  PageCompressor compressor;
  EXPECT_TRUE(compressor.compress(page).empty());
}

TEST(PageCompression, WhatIsNotOfTheRightSizeIsRefused) {
  PageCompressor compressor;
  PageDecompressor decompressor;
  const auto compressed = compressor.compress(text_page());
  const std::vector<std::byte> smaller(compressed.begin(), compressed.end());
  EXPECT_FALSE(decompressor.decompress(smaller, kPageBytes - 1).has_value());
  EXPECT_FALSE(decompressor.decompress(smaller, kPageBytes + 1).has_value());
  EXPECT_FALSE(decompressor.decompress(std::span(smaller).first(smaller.size() / 2), kPageBytes)
                   .has_value());
  EXPECT_FALSE(decompressor.decompress(text_page(), kPageBytes).has_value());
}

TEST(CompressionGauge, ASlowLinkIsWorthIt) {
  CompressionGauge gauge(100 * kMiB);
  EXPECT_TRUE(gauge.is_wanted());
  // 4 ms for 2 MiB, which shrink to a quarter: 15 ms of this link.
  for (int i = 0; i < 10; ++i) gauge.compressed(2 * kMiB, kMiB / 2, 4 * kMillisecond);
  EXPECT_TRUE(gauge.is_wanted());
}

TEST(CompressionGauge, AFastLinkIsNot) {
  CompressionGauge gauge(4096 * kMiB);
  gauge.compressed(2 * kMiB, kMiB / 2, 4 * kMillisecond);
  EXPECT_FALSE(gauge.is_wanted());
  EXPECT_TRUE(gauge.is_given_up());
}

TEST(CompressionGauge, NorIsWhatDoesNotShrink) {
  CompressionGauge gauge(kMiB);
  gauge.compressed(2 * kMiB, 2 * kMiB, kMillisecond);
  EXPECT_TRUE(gauge.is_given_up());
}

TEST(CompressionGauge, ALinkWithoutALimitIsMeasuredFirst) {
  CompressionGauge gauge(0);
  EXPECT_FALSE(gauge.is_wanted());
  // What fills the sockets goes fast, and says nothing.
  for (int i = 0; i < 12; ++i) gauge.sent_plain(kMiB, kMicrosecond);
  for (int i = 0; i < 8; ++i) gauge.sent_plain(kMiB, 10 * kMillisecond);
  EXPECT_TRUE(gauge.is_wanted());
  gauge.compressed(2 * kMiB, kMiB, 9 * kMillisecond);  // saves 10 ms
  EXPECT_TRUE(gauge.is_wanted());
  gauge.compressed(2 * kMiB, kMiB, 11 * kMillisecond);
  EXPECT_TRUE(gauge.is_given_up());
}

}  // namespace
}  // namespace failsim::node
