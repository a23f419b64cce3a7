#include "cluster/property/clusprop.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cluster/property/vectors.h"

namespace failsim {
namespace {

using vectors::bytes;

const PropertyList kMigrationState = {{"MigrationState", {Value::dword(2)}}};
const PropertyList kLiveMove = {{"Virtual Machine", {Value::dword(4)}},
                                {"Virtual Machine Configuration", {Value::dword(4)}}};
const PropertyList kThreeProperties = {
    {"MigrationState", {Value::dword(2)}},
    {"MigrationProgress", {Value::dword(37)}},
    {"VmID", {Value::sz("3F2504E0-4F89-41D3-9A0C-0305E82C3301")}}};

void expect_refused(const std::string& list) {
  const Result<PropertyList> result = decode_list(list);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kInvalidData);
  EXPECT_FALSE(result.error().message.empty());
  EXPECT_FALSE(result.error().next.empty());
}

void expect_value_refused(const std::string& value) {
  const Result<Value> result = decode_value(value);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kInvalidData);
}

void expect_value(const Value& value, const std::string& encoded) {
  const Result<std::string> written = encode_value(value);
  ASSERT_TRUE(written.ok()) << written.error().message;
  EXPECT_EQ(written.value(), encoded);
  const Result<Value> read = decode_value(encoded);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read.value(), value);
}

// ---- The documented lists -----------------------------------------------------------------------

TEST(PropertyList, MigrationStateTakesSixtyBytes) {
  const std::string expected = vectors::migration_state();
  ASSERT_EQ(expected.size(), 60U);
  EXPECT_EQ(encode_list(kMigrationState).value(), expected);
  EXPECT_EQ(decode_list(expected).value(), kMigrationState);
}

TEST(PropertyList, TheLiveMoveTakesAHundredAndFortyFourBytes) {
  const std::string expected = vectors::live_move();
  ASSERT_EQ(expected.size(), 144U);
  EXPECT_EQ(encode_list(kLiveMove).value(), expected);
  EXPECT_EQ(decode_list(expected).value(), kLiveMove);
}

TEST(PropertyList, ThreePropertiesTakeTwoHundredAndTwentyEightBytes) {
  const std::string expected = vectors::three_properties();
  ASSERT_EQ(expected.size(), 228U);
  EXPECT_EQ(encode_list(kThreeProperties).value(), expected);
  EXPECT_EQ(decode_list(expected).value(), kThreeProperties);
}

TEST(PropertyList, TheEmptyListIsACountOfZero) {
  EXPECT_EQ(encode_list({}).value(), bytes("00000000"));
  EXPECT_EQ(decode_list(bytes("00000000")).value(), PropertyList{});
}

TEST(PropertyList, APropertyMayHaveSeveralValues) {
  const PropertyList list = {
      {"Mixed", {Value::dword(1), Value::sz("two"), Value::word(3), Value::binary("four!")}},
      {"Mixed", {Value::dword(5)}}};
  EXPECT_EQ(decode_list(encode_list(list).value()).value(), list);
}

TEST(PropertyList, EveryTruncationIsRefused) {
  for (const std::string& list :
       {vectors::migration_state(), vectors::live_move(), vectors::three_properties()}) {
    for (std::size_t size = 0; size < list.size(); ++size) expect_refused(list.substr(0, size));
  }
}

TEST(PropertyList, TrailingBytesAreRefused) {
  expect_refused(vectors::migration_state() + '\0');
  expect_refused(vectors::migration_state() + bytes("00000000"));
  expect_refused(bytes("00000000 00"));
}

TEST(PropertyList, ACountTheBytesCannotHoldIsRefusedAtOnce) {
  expect_refused(bytes("FFFFFFFF"));
  expect_refused(bytes("01000000"));
  std::string list = vectors::migration_state();
  list[0] = 2;
  expect_refused(list);
  list[0] = 3;
  expect_refused(list);
  list[0] = 0;
  expect_refused(list);
  std::memset(list.data(), 0xFF, 4);
  expect_refused(list);
}

TEST(PropertyList, PaddingIsIgnoredWhenReadAndZeroWhenWritten) {
  std::string list = vectors::migration_state();
  list[0x2A] = 'x';
  list[0x2B] = 'y';
  ASSERT_EQ(decode_list(list).value(), kMigrationState);
  EXPECT_EQ(encode_list(decode_list(list).value()).value(), vectors::migration_state());
}

TEST(PropertyList, ANameIsOfTypeNameAndNotEmpty) {
  std::string list = vectors::migration_state();
  list[6] = 1;  // a LIST_VALUE in the place of the name
  expect_refused(list);
  expect_refused(bytes("01000000 03000400 02000000 0000 0000 02000100 04000000 00000000 00000000"));
  expect_refused(
      bytes("01000000 03000400 00000000 01000100 04000000 00000000 01000100 00000000 "
            "00000000"));
  EXPECT_FALSE(encode_list({{"", {Value::dword(1)}}}).ok());
}

TEST(PropertyList, APropertyHasAValue) {
  // Long enough for the count, but the endmark comes at once.
  expect_refused(bytes("01000000 03000400 0A000000 5600 6D00 4900 4400 0000 0000 00000000"));
  EXPECT_FALSE(encode_list({{"VmId", {}}}).ok());
}

TEST(PropertyList, AValueIsOfTypeListValueAndAKnownFormat) {
  for (const int type : {0, 2, 3, 4, 5, 15}) {
    std::string list = vectors::migration_state();
    list[0x2E] = static_cast<char>(type);
    expect_refused(list);
  }
  for (std::uint32_t format = 0; format <= 0xFF; ++format) {
    if (format == 2) continue;
    std::string list = vectors::migration_state();
    list[0x2C] = static_cast<char>(format);
    const Result<PropertyList> result = decode_list(list);
    // Four bytes are also a BINARY and a LONG; two zero units after "\2" are no text.
    EXPECT_EQ(result.ok(), format == 1 || format == 7 || format == 3 || format == 4) << format;
  }
}

TEST(PropertyList, ALengthBeyondTheEndIsRefused) {
  for (const std::size_t at : {0x08U, 0x30U}) {
    for (const std::uint32_t length : {0x7FFFFFFFU, 0xFFFFFFFFU, 0xFFFFFFFCU, 61U}) {
      std::string list = vectors::migration_state();
      for (std::size_t i = 0; i < 4; ++i) list[at + i] = static_cast<char>(length >> (8 * i));
      expect_refused(list);
    }
  }
}

TEST(PropertyList, OneOfManyPropertiesCostsNoMoreThanAnother) {
  PropertyList list;
  for (std::uint32_t i = 0; i < 5'000; ++i) list.push_back({"P", {Value::dword(i)}});
  const std::string encoded = encode_list(list).value();
  EXPECT_EQ(encoded.size(), 4 + 5'000U * (12 + 12 + 4));
  EXPECT_EQ(decode_list(encoded).value(), list);
}

// ---- Values -------------------------------------------------------------------------------------

TEST(ClusPropValue, NumbersHaveTheirDocumentedSizes) {
  expect_value(Value::dword(0x01020304), bytes("02000100 04000000 04030201"));
  expect_value(Value::dword(0xFFFFFFFF), bytes("02000100 04000000 FFFFFFFF"));
  expect_value(Value::long_integer(-1), bytes("07000100 04000000 FFFFFFFF"));
  expect_value(Value::long_integer(std::numeric_limits<std::int32_t>::min()),
               bytes("07000100 04000000 00000080"));
  expect_value(Value::word(0xABCD), bytes("0B000100 02000000 CDAB 0000"));
  expect_value(Value::ularge_integer(0x0102030405060708),
               bytes("06000100 08000000 08070605 04030201"));
  expect_value(Value::ularge_integer(~std::uint64_t{0}),
               bytes("06000100 08000000 FFFFFFFF FFFFFFFF"));
  expect_value(Value::large_integer(-2), bytes("0A000100 08000000 FEFFFFFF FFFFFFFF"));
  expect_value(Value::filetime(1), bytes("0C000100 08000000 01000000 00000000"));
}

TEST(ClusPropValue, DwordAndLongOfTheSameBitsAreDifferentValues) {
  EXPECT_NE(Value::dword(1), Value::long_integer(1));
  EXPECT_NE(Value::sz("a"), Value::expand_sz("a"));
}

TEST(ClusPropValue, TextIsUtf16WithItsNul) {
  expect_value(Value::sz(""), bytes("03000100 02000000 0000 0000"));
  expect_value(Value::sz("a"), bytes("03000100 04000000 6100 0000"));
  expect_value(Value::expand_sz("%a"), bytes("04000100 06000000 2500 6100 0000 0000"));
  expect_value(Value::sz("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"),
               bytes("03000100 0A000000 E400 AC20 3DD8 00DE 0000 0000"));
}

TEST(ClusPropValue, TextOfNoBytesIsTheEmptyText) {
  EXPECT_EQ(decode_value(bytes("03000100 00000000")).value(), Value::sz(""));
}

TEST(ClusPropValue, MultiSzEndsWithAnExtraNul) {
  expect_value(Value::multi_sz({}), bytes("05000100 02000000 0000 0000"));
  expect_value(Value::multi_sz({"a"}), bytes("05000100 06000000 6100 0000 0000 0000"));
  expect_value(Value::multi_sz({"a", "bc"}),
               bytes("05000100 0C000000 6100 0000 6200 6300 0000 0000"));
}

TEST(ClusPropValue, NoBytesAndTwoNulsAreTheEmptyMultiSz) {
  EXPECT_EQ(decode_value(bytes("05000100 00000000")).value(), Value::multi_sz({}));
  EXPECT_EQ(decode_value(bytes("05000100 04000000 00000000")).value(), Value::multi_sz({}));
}

TEST(ClusPropValue, BinaryIsTakenAsItIs) {
  expect_value(Value::binary(""), bytes("01000100 00000000"));
  expect_value(Value::binary(bytes("00FF0A0D00")), bytes("01000100 05000000 00FF0A0D00 000000"));
}

TEST(ClusPropValue, MalformedValuesAreRefused) {
  for (const char* hex : {
           "",                                               // nothing
           "02000100",                                       // no length
           "02000100 04000000",                              // no data
           "02000100 04000000 010000",                       // data cut short
           "02000100 03000000 01000000",                     // DWORD of three bytes
           "02000100 05000000 01000000 00000000",            // DWORD of five
           "02000100 00000000",                              // DWORD of none
           "0B000100 02000000 0100",                         // padding missing
           "0B000100 04000000 01000000",                     // WORD of four
           "06000100 04000000 01000000",                     // ULARGE_INTEGER of four
           "02000100 04000000 01000000 00",                  // a byte more
           "02000100 04000000 01000000 00000000",            // an endmark more
           "00000000 00000000",                              // an endmark with length
           "08000100 02000000 0000 0000",                    // EXPANDED_SZ
           "09000100 04000000 00000000",                     // SECURITY_DESCRIPTOR
           "0D000100 04000000 00000000",                     // VALUE_LIST
           "0E000100 04000000 00000000",                     // PROPERTY_LIST
           "00800100 04000000 00000000",                     // USER
           "03000400 04000000 61000000",                     // a name
           "03000100 01000000 00000000",                     // odd length
           "03000100 03000000 61000000",                     // odd length
           "03000100 02000000 61000000",                     // no NUL
           "03000100 08000000 61000000 62000000",            // goes on after the NUL
           "03000100 04000000 00000000",                     // two NULs
           "03000100 04000000 00D80000",                     // half a surrogate pair
           "03000100 06000000 00DC00D8 00000000",            // the pair the wrong way round
           "05000100 02000000 61000000",                     // MULTI_SZ without NUL
           "05000100 04000000 61000000",                     // without the extra NUL
           "05000100 05000000 61000000 00000000",            // odd length
           "05000100 08000000 00006100 00000000",            // an empty string first
           "05000100 0A000000 61000000 00006200 0000 0000",  // goes on after its end
           "05000100 06000000 00D80000 00000000",            // half a surrogate pair
           "05000100 06000000 00000000 00000000",            // three NULs
       }) {
    SCOPED_TRACE(hex);
    expect_value_refused(bytes(hex));
  }
}

TEST(ClusPropValue, WhatAFormatCannotHoldIsNotWritten) {
  const std::vector<Value> bad = {
      {Format::kDword, std::uint64_t{0x100000000}},
      {Format::kWord, std::uint64_t{0x10000}},
      {Format::kLong, std::int64_t{0x80000000}},
      {Format::kLong, std::int64_t{-0x80000001LL}},
      {Format::kDword, std::int64_t{1}},
      {Format::kLong, std::uint64_t{1}},
      {Format::kDword, std::string("1")},
      {Format::kSz, std::uint64_t{1}},
      {Format::kBinary, std::uint64_t{1}},
      {Format::kMultiSz, std::string("a")},
      {Format::kSz, std::string("a\0b", 3)},
      {Format::kSz, std::string("\xFF")},
      {Format::kMultiSz, std::vector<std::string>{"a", ""}},
      {Format::kMultiSz, std::vector<std::string>{std::string(1, '\0')}},
      {static_cast<Format>(8), std::string("a")},
  };
  for (const Value& value : bad) {
    const Result<std::string> result = encode_value(value);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Code::kInvalidData);
    EXPECT_FALSE(encode_list({{"P", {value}}}).ok());
  }
  EXPECT_FALSE(encode_list({{std::string("a\0b", 3), {Value::dword(1)}}}).ok());
}

TEST(ClusPropValue, FormatsHaveTheirDocumentedNumbersAndNames) {
  const std::pair<std::uint16_t, std::string> documented[] = {
      {1, "BINARY"},   {2, "DWORD"},          {3, "SZ"},   {4, "EXPAND_SZ"},
      {5, "MULTI_SZ"}, {6, "ULARGE_INTEGER"}, {7, "LONG"}, {10, "LARGE_INTEGER"},
      {11, "WORD"},    {12, "FILETIME"}};
  for (const auto& [number, text] : documented) {
    EXPECT_EQ(name(static_cast<Format>(number)), text);
  }
}

}  // namespace
}  // namespace failsim
