// The byte stream of a migration's data connection.
//
//   stream  := hello welcome round* rest device_state release
//   round   := (pages | modelled)* round_end        rest := (pages | modelled)*
//   frame   := header [runs] [payload]
//   header  := magic u32, type u16, 0 u16, runs u32, 0 u32, bytes u64     (little-endian)
//   pages   := header, runs times (first u64, count u64), then the pages, `bytes` in all
//   modelled, round_end := header; `bytes` is the size that would have been sent, or the round
//   others  := header, then a message of `bytes`
//
// welcome goes from target to source, everything else the other way. There is no acknowledgement:
// the release says that all before it was sent, and TCP keeps the order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/migration/precopy.h"

namespace failsim::node {

enum class FrameType : std::uint16_t {
  kHello = 1,
  kWelcome = 2,
  kPages = 3,
  kModelled = 4,
  kRoundEnd = 5,
  kDeviceState = 6,
  kRelease = 7
};

struct FrameHeader {
  FrameType type = FrameType::kHello;
  std::uint32_t runs = 0;
  std::uint64_t bytes = 0;
};

inline constexpr std::size_t kFrameHeaderBytes = 24;
inline constexpr std::size_t kRunBytes = 16;
// Pages of one frame: large enough that calls and headers cost nothing.
inline constexpr std::uint64_t kFramePageBytesMax = std::uint64_t{1} << 20;
inline constexpr std::uint32_t kFrameRunsMax = kFramePageBytesMax / kPageBytes;
inline constexpr std::uint64_t kHelloBytesMax = 64 * 1024;

void append_header(const FrameHeader& header, std::vector<std::byte>& out);
void append_runs(const std::vector<PageRun>& runs, std::vector<std::byte>& out);

// Nothing if it is not the header of a known frame.
std::optional<FrameHeader> decode_header(const std::array<std::byte, kFrameHeaderBytes>& bytes);
// Appends the runs to `out`; false unless they lie within `pages` and sum up to `bytes`.
bool decode_runs(const std::vector<std::byte>& bytes, std::uint64_t pages, std::uint64_t page_bytes,
                 std::vector<PageRun>& out);

// A frame whose payload is this message.
std::vector<std::byte> message_frame(FrameType type, const std::string& payload);

}  // namespace failsim::node
