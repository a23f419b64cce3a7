#include "cluster/wire/frame.h"

#include <cassert>

#include "cluster/little_endian.h"
#include "cluster/raft/checksum.h"

namespace failsim {
namespace {

constexpr std::size_t kCoveredHeaderBytes = 8;

std::uint32_t u32_at(std::string_view bytes, std::size_t at) {
  return load_u32(bytes.substr(at));
}

// What the header alone already shows, before anything is reserved for the payload.
FrameFault header_fault(std::string_view header) {
  const std::string_view covered = header.substr(0, kCoveredHeaderBytes);
  if (u32_at(header, 4) != kWireVersion) return FrameFault::kWrongVersion;
  if (u32_at(header, 0) > kMaximumPayloadBytes) return FrameFault::kOversized;
  if (u32_at(header, 8) != raft::crc32c(0, covered)) return FrameFault::kCorrupt;
  return FrameFault::kNone;
}

}  // namespace

std::string encode_frame(std::string_view payload) {
  assert(payload.size() <= kMaximumPayloadBytes);
  std::string frame;
  frame.reserve(kFrameHeaderBytes + payload.size());
  append_u32(frame, static_cast<std::uint32_t>(payload.size()));
  append_u32(frame, kWireVersion);
  append_u32(frame, raft::crc32c(0, frame));
  append_u32(frame, raft::crc32c(0, payload));
  frame.append(payload);
  return frame;
}

void FrameDecoder::feed(std::string_view bytes) {
  if (fault_ != FrameFault::kNone) return;
  buffer_.erase(0, consumed_);
  consumed_ = 0;
  buffer_.append(bytes);
}

std::optional<std::string_view> FrameDecoder::next() {
  if (fault_ != FrameFault::kNone) return std::nullopt;
  const std::string_view rest = std::string_view(buffer_).substr(consumed_);
  if (rest.size() < kFrameHeaderBytes) return std::nullopt;
  fault_ = header_fault(rest);
  if (fault_ != FrameFault::kNone) return std::nullopt;
  const std::size_t length = u32_at(rest, 0);
  if (rest.size() < kFrameHeaderBytes + length) return std::nullopt;
  const std::string_view payload = rest.substr(kFrameHeaderBytes, length);
  if (u32_at(rest, 12) != raft::crc32c(0, payload)) {
    fault_ = FrameFault::kCorrupt;
    return std::nullopt;
  }
  consumed_ += kFrameHeaderBytes + length;
  return payload;
}

std::optional<std::string_view> decode_datagram(std::string_view bytes, FrameFault& fault) {
  fault = FrameFault::kCorrupt;
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  const FrameFault header = header_fault(bytes);
  if (header != FrameFault::kNone) {
    fault = header;
    return std::nullopt;
  }
  const std::string_view payload = bytes.substr(kFrameHeaderBytes);
  if (u32_at(bytes, 0) != payload.size()) return std::nullopt;
  if (u32_at(bytes, 12) != raft::crc32c(0, payload)) return std::nullopt;
  fault = FrameFault::kNone;
  return payload;
}

}  // namespace failsim
