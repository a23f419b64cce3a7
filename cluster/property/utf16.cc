#include "cluster/property/utf16.h"

#include <cstddef>
#include <cstdint>

namespace failsim {
namespace {

constexpr std::uint32_t kBadCodePoint = 0xFFFFFFFF;

bool is_surrogate(std::uint32_t code) {
  return code >= 0xD800 && code <= 0xDFFF;
}

// The code point at `at`, which moves behind it; kBadCodePoint if there is no valid one.
std::uint32_t next_of_utf8(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(text[i]);
  };
  const std::uint32_t lead = byte(at++);
  if (lead < 0x80) return lead;
  std::size_t more = 0;
  std::uint32_t code = 0;
  std::uint32_t smallest = 0;
  if (lead >= 0xC0 && lead < 0xE0) {
    more = 1, code = lead & 0x1F, smallest = 0x80;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    more = 2, code = lead & 0x0F, smallest = 0x800;
  } else if (lead >= 0xF0 && lead < 0xF8) {
    more = 3, code = lead & 0x07, smallest = 0x10000;
  } else {
    return kBadCodePoint;
  }
  if (text.size() - at < more) return kBadCodePoint;
  for (std::size_t i = 0; i < more; ++i) {
    const std::uint32_t next = byte(at++);
    if ((next & 0xC0) != 0x80) return kBadCodePoint;
    code = (code << 6) | (next & 0x3F);
  }
  if (code < smallest) return kBadCodePoint;
  if (code > 0x10FFFF) return kBadCodePoint;
  if (is_surrogate(code)) return kBadCodePoint;
  return code;
}

void put_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

void put_unit(std::string& out, std::uint32_t unit) {
  out.push_back(static_cast<char>(unit & 0xFF));
  out.push_back(static_cast<char>(unit >> 8));
}

std::uint32_t unit_at(std::string_view bytes, std::size_t at) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(bytes[i]);
  };
  return byte(at) | byte(at + 1) << 8;
}

}  // namespace

Result<std::string> utf16le_of_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size() * 2);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const std::uint32_t code = next_of_utf8(text, at);
    if (code == kBadCodePoint) {
      return Error{Code::kInvalidData,
                   "The text is not valid UTF-8 at byte " + std::to_string(begin) + ".",
                   "Give the text in UTF-8."};
    }
    if (code < 0x10000) {
      put_unit(out, code);
    } else {
      put_unit(out, 0xD800 + ((code - 0x10000) >> 10));
      put_unit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
    }
  }
  return out;
}

Result<std::string> utf8_of_utf16le(std::string_view bytes) {
  const auto bad = [](std::size_t at) {
    return Error{Code::kInvalidData,
                 "The text is not valid UTF-16 at byte " + std::to_string(at) + ".",
                 "Send the text in UTF-16LE."};
  };
  if (bytes.size() % 2 != 0) return bad(bytes.size() - 1);
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    const std::uint32_t unit = unit_at(bytes, at);
    if (!is_surrogate(unit)) {
      put_utf8(out, unit);
      continue;
    }
    if (unit >= 0xDC00) return bad(at);
    if (bytes.size() - at < 4) return bad(at);
    const std::uint32_t low = unit_at(bytes, at + 2);
    if (low < 0xDC00 || low > 0xDFFF) return bad(at);
    put_utf8(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
    at += 2;
  }
  return out;
}

}  // namespace failsim
