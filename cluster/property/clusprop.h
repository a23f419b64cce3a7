// CLUSPROP: the byte form of property values and property lists.
//
//   list     = count:u32  property[count]
//   property = name  value value...  endmark             one value or more
//   name     = 0x00040003:u32  length:u32  UTF-16 text with its NUL  padding
//   value    = (0x00010000 | format):u32  length:u32  data[length]  padding
//   endmark  = 0:u32
//
// Integers are little-endian, text is UTF-16LE, `length` counts the NULs but not the padding of
// 0..3 bytes to the next multiple of 4. Sources: CLUSPROP_SYNTAX (clusapi.h), "Property Lists" and
// "Creating Property Lists" (Failover Cluster API), [MS-CMRP] 2.2.3.10.
//
// Reading accepts what senders may do (padding that is not zero, a string of length 0 for the empty
// string) and refuses all else; what it accepted, written again, is the one canonical form. Every
// refusal is kInvalidData (13) and says at which byte. Bytes are carried in std::string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cluster/error.h"

namespace failsim {

// CLUSTER_PROPERTY_FORMAT: the low word of the syntax. Formats that are missing here (EXPANDED_SZ
// 8, SECURITY_DESCRIPTOR 9, VALUE_LIST 13, PROPERTY_LIST 14, USER 0x8000) are refused, as the
// protocol asks of a receiver that does not know a format.
enum class Format : std::uint16_t {
  kBinary = 1,
  kDword = 2,
  kSz = 3,
  kExpandSz = 4,
  kMultiSz = 5,
  kUlargeInteger = 6,
  kLong = 7,
  kLargeInteger = 10,
  kWord = 11,
  kFiletime = 12
};

// For example "DWORD", "MULTI_SZ".
std::string_view name(Format format);

// A value and its format. The content is
//   std::uint64_t             of DWORD, WORD, ULARGE_INTEGER and FILETIME (100 ns since 1601)
//   std::int64_t              of LONG and LARGE_INTEGER
//   std::string               of SZ and EXPAND_SZ (UTF-8 without NUL) and BINARY (raw bytes)
//   vector of std::string     of MULTI_SZ (UTF-8; no NUL, no empty string)
struct Value {
  Format format = Format::kDword;
  std::variant<std::uint64_t, std::int64_t, std::string, std::vector<std::string>> content;

  bool operator==(const Value&) const = default;

  static Value binary(std::string bytes);
  static Value dword(std::uint32_t number);
  static Value sz(std::string text);
  static Value expand_sz(std::string text);
  static Value multi_sz(std::vector<std::string> texts);
  static Value ularge_integer(std::uint64_t number);
  static Value long_integer(std::int32_t number);
  static Value large_integer(std::int64_t number);
  static Value word(std::uint16_t number);
  static Value filetime(std::uint64_t number);

  // The content, which must be of that kind.
  std::uint64_t number() const { return std::get<std::uint64_t>(content); }
  std::int64_t signed_number() const { return std::get<std::int64_t>(content); }
  const std::string& text() const { return std::get<std::string>(content); }
  const std::vector<std::string>& texts() const {
    return std::get<std::vector<std::string>>(content);
  }
};

struct Property {
  std::string name;           // UTF-8, not empty
  std::vector<Value> values;  // at least one

  bool operator==(const Property&) const = default;
};

using PropertyList = std::vector<Property>;

// One value with its padding, for example 12 bytes of a DWORD. kInvalidData when the content is not
// what the format calls for, does not fit its width, is not UTF-8, or holds a NUL or empty string
// where none may be.
Result<std::string> encode_value(const Value& value);

// Exactly one value: nothing may be missing and nothing may follow.
Result<Value> decode_value(std::string_view bytes);

// A list; kInvalidData as for encode_value, and for a property without a name or without a value.
Result<std::string> encode_list(const PropertyList& list);

// A whole list: nothing may be missing and nothing may follow. Linear in the size of `bytes`, in
// time and in memory; never reads past them. The same name may occur twice; the order is kept.
Result<PropertyList> decode_list(std::string_view bytes);

}  // namespace failsim
