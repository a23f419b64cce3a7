#include "cluster/units.h"

#include <gtest/gtest.h>

namespace failsim {
namespace {

TEST(Units, SizesAreWholeNumbersWithAUnit) {
  EXPECT_EQ(parse_size("256MiB").value(), std::uint64_t{256} << 20);
  EXPECT_EQ(parse_size("4GiB").value(), std::uint64_t{4} << 30);
  EXPECT_EQ(parse_size("4 KiB").value(), 4096u);
  EXPECT_EQ(parse_size("12").value(), 12u);
  EXPECT_EQ(parse_size("3MB").value(), 3'000'000u);
  EXPECT_EQ(parse_size("0").value(), 0u);
  EXPECT_EQ(parse_size("1024TiB").value(), kMaximumSize);
}

TEST(Units, RatesAreSizesASecond) {
  EXPECT_EQ(parse_rate("20MiB/s").value(), std::uint64_t{20} << 20);
  EXPECT_EQ(parse_rate("20MiB").value(), std::uint64_t{20} << 20);
  EXPECT_FALSE(parse_rate("20MiB/h"));
}

TEST(Units, DurationsNeedAUnit) {
  EXPECT_EQ(parse_duration("300ms").value(), 300 * kMillisecond);
  EXPECT_EQ(parse_duration("2s").value(), 2 * kSecond);
  EXPECT_EQ(parse_duration("5min").value(), 300 * kSecond);
  EXPECT_EQ(parse_duration("0").value(), 0);
  EXPECT_FALSE(parse_duration("300"));
}

TEST(Units, WhatIsNegativeAbsurdOrNoNumberIsRefusedWithASentence) {
  for (const char* text : {"-5MiB", "-1", "1025TiB", "99999999999999999999", "18446744073709551615",
                           "", "MiB", "1.5GiB", "5 MiB MiB", "5mib", "0x10", "1e9", "+5", "5\n"}) {
    const Result<std::uint64_t> size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code, Code::kInvalidParameter) << text;
    EXPECT_EQ(size.error().message.back(), '.') << text;
    EXPECT_FALSE(size.error().next.empty()) << text;
  }
  EXPECT_FALSE(parse_duration("-2s"));
  EXPECT_FALSE(parse_duration("366d"));
}

TEST(Units, CountsLieInTheirRange) {
  EXPECT_EQ(parse_count("3", 1, 64).value(), 3u);
  for (const char* text : {"0", "65", "3x", "", "-3", "3.0", " 3"}) {
    EXPECT_FALSE(parse_count(text, 1, 64)) << text;
  }
}

TEST(Units, ShownAsAPersonReadsThem) {
  EXPECT_EQ(show_size(0), "0 B");
  EXPECT_EQ(show_size(1536), "1.5 KiB");
  EXPECT_EQ(show_size(std::uint64_t{256} << 20), "256 MiB");
  EXPECT_EQ(show_rate(std::uint64_t{1} << 30), "1 GiB/s");
  EXPECT_EQ(show_size(~std::uint64_t{0}), "16777215 TiB");
  EXPECT_EQ(show_duration_ms(45), "45 ms");
  EXPECT_EQ(show_duration_ms(2500), "2.5 s");
}

TEST(Units, LongOrStrangeTextIsShortenedInMessages) {
  EXPECT_LT(shortened(std::string(10'000, 'x')).size(), 80u);
  EXPECT_EQ(shortened("a\nb\x1b[2J"), "a?b?[2J");
}

}  // namespace
}  // namespace failsim
