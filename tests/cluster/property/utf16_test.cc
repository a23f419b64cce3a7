#include "cluster/property/utf16.h"

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace failsim {
namespace {

// Written from the definition of UTF-8, apart from the code under test.
std::string utf8(std::uint32_t code) {
  const auto byte = [](std::uint32_t value) { return std::string(1, static_cast<char>(value)); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) return byte(0xC0 + code / 64) + byte(0x80 + code % 64);
  if (code < 0x10000) {
    return byte(0xE0 + code / 4096) + byte(0x80 + code / 64 % 64) + byte(0x80 + code % 64);
  }
  return byte(0xF0 + code / 262144) + byte(0x80 + code / 4096 % 64) + byte(0x80 + code / 64 % 64) +
         byte(0x80 + code % 64);
}

// All of the first plane, some of each other, and the last code point.
TEST(Utf16, EveryCodePointGoesThereAndBackAndNoSurrogateDoes) {
  for (std::uint32_t code = 0; code <= 0x10FFFF; code += code < 0x10000 ? 1 : 205) {
    const std::string text = utf8(code);
    const Result<std::string> utf16 = utf16le_of_utf8(text);
    if (code >= 0xD800 && code <= 0xDFFF) {
      ASSERT_FALSE(utf16.ok()) << code;
      continue;
    }
    ASSERT_TRUE(utf16.ok()) << code;
    ASSERT_EQ(utf16.value().size(), code < 0x10000 ? 2U : 4U) << code;
    const Result<std::string> back = utf8_of_utf16le(utf16.value());
    ASSERT_TRUE(back.ok()) << code;
    ASSERT_EQ(back.value(), text) << code;
  }
}

TEST(Utf16, KnownTextsHaveKnownBytes) {
  EXPECT_EQ(utf16le_of_utf8("").value(), "");
  EXPECT_EQ(utf16le_of_utf8("A").value(), std::string("A\0", 2));
  EXPECT_EQ(utf16le_of_utf8("\xE2\x82\xAC").value(), "\xAC\x20");
  EXPECT_EQ(utf16le_of_utf8("\xF0\x9F\x98\x80").value(), std::string("\x3D\xD8\x00\xDE", 4));
}

TEST(Utf16, WhatIsNotUtf8IsRefused) {
  for (const std::string& text :
       {std::string("\x80"), std::string("\xBF"), std::string("\xC3"),
        std::string("\xC0\x80"),          // overlong NUL
        std::string("\xC1\xBF"),          // overlong
        std::string("\xE0\x9F\xBF"),      // overlong
        std::string("\xF0\x8F\xBF\xBF"),  // overlong
        std::string("\xED\xA0\x80"),      // surrogate
        std::string("\xF4\x90\x80\x80"),  // above 0x10FFFF
        std::string("\xF8\x88\x80\x80\x80"), std::string("\xFF"), std::string("\xE2\x82"),
        std::string("\xE2\x82\x41"), std::string("\xC3\x41"), std::string("ok\xF0\x9F\x98")}) {
    const Result<std::string> result = utf16le_of_utf8(text);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Code::kInvalidData);
  }
}

TEST(Utf16, WhatIsNotUtf16IsRefused) {
  for (const std::string& text :
       {std::string("A"), std::string("A\0B", 3), std::string("\x00\xD8", 2),
        std::string("\x00\xDC", 2), std::string("\x00\xD8\x41\x00", 4),
        std::string("\x00\xD8\x00\xD8", 4), std::string("\x00\xDC\x00\xD8", 4)}) {
    const Result<std::string> result = utf8_of_utf16le(text);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Code::kInvalidData);
  }
}

}  // namespace
}  // namespace failsim
