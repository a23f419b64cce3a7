// What writing and reading CLUSPROP have in common: the syntaxes, and what is known of each format.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cluster/property/clusprop.h"

namespace failsim::clusprop {

inline constexpr std::uint32_t kSyntaxEndmark = 0x00000000;
inline constexpr std::uint32_t kSyntaxName = 0x00040003;
inline constexpr std::uint32_t kTypeListValue = 0x0001;

enum class Kind { kUnsigned, kSigned, kBytes, kText, kTexts };

struct FormatRow {
  Format format;
  std::string_view name;
  Kind kind;
  std::uint32_t size;  // of the data of a number
};

// Null if there is none of this number.
const FormatRow* find_format(std::uint32_t number);

// A two's complement number of `size` bytes.
inline std::int64_t as_signed(std::uint64_t number, std::size_t size) {
  if (size == 4) return static_cast<std::int32_t>(static_cast<std::uint32_t>(number));
  assert(size == 8);
  return static_cast<std::int64_t>(number);
}

}  // namespace failsim::clusprop
