// The envelope of everything two nodes say to each other: length, wire version, checksum, payload.
//
//   offset 0   u32 little-endian   length of the payload, at most kMaximumPayloadBytes
//   offset 4   u32 little-endian   wire version: 1
//   offset 8   u32 little-endian   CRC-32C over the first eight bytes
//   offset 12  u32 little-endian   CRC-32C over the payload
//   offset 16  payload             a serialized failsim.pb.PeerMessage
//
// The header is checked by itself: a length that was spoilt on the way would have the receiver wait
// for bytes that nobody sends, and take what comes instead for them.
//
// A stream carries one frame after another, a datagram exactly one. A stream in which one frame is
// wrong has lost its place and is given up: the connection is closed and made anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace failsim {

inline constexpr std::uint32_t kWireVersion = 1;
inline constexpr std::size_t kFrameHeaderBytes = 16;
inline constexpr std::size_t kMaximumPayloadBytes = 8 * 1024 * 1024;

enum class FrameFault { kNone, kOversized, kWrongVersion, kCorrupt };

// The payload in its envelope; it must not be longer than kMaximumPayloadBytes.
std::string encode_frame(std::string_view payload);

// Takes a stream apart, however it is cut into pieces.
class FrameDecoder {
 public:
  // Appends received bytes. Ignored once fault() is set.
  void feed(std::string_view bytes);
  // The next whole payload, valid until the next call of this object; nothing when more bytes are
  // needed or the stream is faulty.
  std::optional<std::string_view> next();
  FrameFault fault() const { return fault_; }

 private:
  std::string buffer_;
  std::size_t consumed_ = 0;
  FrameFault fault_ = FrameFault::kNone;
};

// The payload of a datagram that holds exactly one frame; otherwise nothing, and `fault` says why.
std::optional<std::string_view> decode_datagram(std::string_view bytes, FrameFault& fault);

}  // namespace failsim
