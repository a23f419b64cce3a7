// 32-bit numbers as four bytes, least significant first: lengths and checksums of files and frames.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>

namespace failsim {

inline void append_u32(std::string& bytes, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

// The first four bytes, which must be there.
inline std::uint32_t load_u32(std::string_view bytes) {
  assert(bytes.size() >= 4);
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace failsim
