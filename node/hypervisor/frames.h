// The byte stream of a migration's data connection.
//
//   stream  := hello welcome round* rest device_state release
//   round   := (pages | modelled)* round_end        rest := (pages | modelled)*
//   frame   := header [body [seals]]
//   header  := magic u32, type u16, 0 u16, runs u32, body_crc u32, bytes u64, 0 u32, header_crc u32
//              (little-endian)
//   pages   := header, runs times (first u64, count u64), then the pages, `bytes` in all, and for
//              each page its seal u64; last the CRC of the seals, u64
//   modelled, round_end := header; `bytes` is the size that would have been sent, or the round
//   others  := header, then a message of `bytes`
//
// All checksums are CRC-32C. That of a header covers the header before it, so that no length is
// believed unchecked. That of a body covers the runs or the message. A page has its own, in its
// seal: made after the page was sent, as then it need not be copied first. A guest that runs may
// have written to the page in between; then the seal says so instead, and the page comes again.
//
// welcome goes from target to source, everything else the other way. There is no acknowledgement:
// the release says that all before it was sent, and TCP keeps the order. A target that cannot go on
// says why in a refusal, a sentence, and closes the connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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
  kRelease = 7,
  kRefusal = 8
};

struct FrameHeader {
  FrameType type = FrameType::kHello;
  std::uint32_t runs = 0;
  std::uint64_t bytes = 0;
  std::uint32_t body_checksum = 0;  // of nothing: 0
};

inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::size_t kRunBytes = 16;
inline constexpr std::size_t kSealBytes = 8;
// A seal: the CRC-32C of the page, or that it may have changed while it was sent.
inline constexpr std::uint64_t kUnsettledSeal = std::uint64_t{1} << 32;
// Pages of one frame: large enough that calls and headers cost little, and small enough that what
// was just sent or received is in the cache when it is sealed or checked.
inline constexpr std::uint64_t kFramePageBytesMax = std::uint64_t{512} << 10;
inline constexpr std::uint32_t kFrameRunsMax = kFramePageBytesMax / kPageBytes;
inline constexpr std::uint64_t kHelloBytesMax = 64 * 1024;
inline constexpr std::uint64_t kRefusalBytesMax = 4096;

void append_header(const FrameHeader& header, std::vector<std::byte>& out);
void append_runs(const std::vector<PageRun>& runs, std::vector<std::byte>& out);

// Nothing if it is not the header of a known frame, as it was sent.
std::optional<FrameHeader> decode_header(const std::array<std::byte, kFrameHeaderBytes>& bytes);
// Appends the runs to `out`; false unless they lie within `pages` and sum up to `bytes`.
bool decode_runs(std::span<const std::byte> bytes, std::uint64_t pages, std::uint64_t page_bytes,
                 std::vector<PageRun>& out);

// The seals of a frame, with their CRC.
void append_seals(const std::vector<std::uint64_t>& seals, std::vector<std::byte>& out);
// Appends the seals to `out`; false if they are not as they were sent.
bool decode_seals(std::span<const std::byte> bytes, std::vector<std::uint64_t>& out);

// A frame whose payload is this message.
std::vector<std::byte> message_frame(FrameType type, const std::string& payload);

}  // namespace failsim::node
