#include "node/hypervisor/page_stamp.h"

#include <array>
#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "cluster/migration/precopy.h"

namespace failsim::node {
namespace {

struct alignas(8) Page {
  std::array<std::byte, kPageBytes> bytes{};
};

TEST(PageStamp, IsAFunctionOfBootPageAndCount) {
  Page a;
  Page b;
  stamp_page(a.bytes.data(), 1, 2, 3);
  stamp_page(b.bytes.data(), 1, 2, 3);
  EXPECT_EQ(a.bytes, b.bytes);
  EXPECT_TRUE(page_matches(a.bytes.data(), 1, 2, 3));
  EXPECT_FALSE(page_matches(a.bytes.data(), 9, 2, 3));
  EXPECT_FALSE(page_matches(a.bytes.data(), 1, 9, 3));
  EXPECT_FALSE(page_matches(a.bytes.data(), 1, 2, 4));
}

TEST(PageStamp, OneWrongBitIsSeenWhereverItIs) {
  for (const std::size_t at : {std::size_t{0}, std::size_t{2049}, kPageBytes - 1}) {
    Page page;
    stamp_page(page.bytes.data(), 1, 2, 3);
    page.bytes[at] ^= std::byte{0x10};
    EXPECT_FALSE(page_matches(page.bytes.data(), 1, 2, 3));
  }
}

TEST(PageStamp, CountZeroIsTheZeroPage) {
  Page page;
  EXPECT_TRUE(page_matches(page.bytes.data(), 1, 2, 0));
  page.bytes[1000] = std::byte{1};
  EXPECT_FALSE(page_matches(page.bytes.data(), 1, 2, 0));
  EXPECT_FALSE(is_zero_page(page.bytes.data()));
}

TEST(PageStamp, DoesNotRepeatItself) {
  std::set<std::uint64_t> words;
  for (std::uint64_t number = 0; number < 100; ++number) {
    Page page;
    stamp_page(page.bytes.data(), 1, number, 1);
    for (std::size_t i = 0; i < kPageBytes; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, page.bytes.data() + i, 8);
      words.insert(word);
    }
  }
  EXPECT_EQ(words.size(), 100 * kPageBytes / 8);
}

}  // namespace
}  // namespace failsim::node
