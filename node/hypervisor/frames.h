// The byte streams of a migration's data connections.
//
//   stream 0 := hello welcome (pages* round_end)* pages* [missing] device_state release
//   stream n := hello welcome  pages* stream_end
//   pages    := written | zero | copied | compressed | modelled
//   frame    := header [body [seals]]
//   header   := magic u32, type u16, 0 u16, runs u32, body_crc u32, bytes u64, 0 u32, header_crc
//   u32
//               (little-endian)
//   written  := header, runs times (first u64, count u64), then the pages, `bytes` in all, and for
//               each page its seal u64; last the CRC of the seals, u64
//   compressed := the same, but the pages are zstd-compressed as one: `bytes` is that size
//   zero     := header, runs times (first u64, count u64): these pages are zero
//   copied   := header, runs times (page u64, of u64, seal u64): the page is as the other one
//   modelled, round_end, stream_end := header; `bytes` is the size that would have been sent, the
//               round, 0
//   welcome  := header, a body of `bytes`: nothing, or on stream 0 the write counts, u32 each, of
//               the pages the target has kept (kept_pages.h)
//   others   := header, then a message of `bytes`
//
// All checksums are CRC-32C. That of a header covers the header before it, so that no length is
// believed unchecked. That of a body covers the runs or the message. A page has its own, in its
// seal: made after the page was sent, as then it need not be copied first. A guest that runs may
// have written to the page in between; then the seal says so instead, and the page comes again. The
// seals may leave together with the next frame.
//
// Several streams. They are connections of one transfer: same job, same attempt. A page always goes
// by the same stream, stream_of(page) in cluster/migration/precopy.h, so TCP keeps the order of its
// versions, and a round needs no barrier among the streams. Whoever adds a kind of page frame has
// to keep to this. A copied page and the one it refers to go by the same stream, the other one in
// an earlier frame and settled, so the target has it as it was compared. Stream 0 goes last: the
// target takes the release for complete only when every other stream has brought its stream_end,
// and the source sends the release when every stream has sent its pages. A stream that fails ends
// all.
//
// welcome goes from target to source, everything else the other way. There is no acknowledgement:
// the release says that all before it was sent, and TCP keeps the order. A target that cannot go on
// says why in a refusal, a sentence, on stream 0 and closes the connections; a connection that it does
// not take in the first place is refused on itself.
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

inline constexpr std::uint32_t kDataPathVersion = 2;  // of a hello

enum class FrameType : std::uint16_t {
  kHello = 1,
  kWelcome = 2,
  kPages = 3,
  kModelled = 4,
  kRoundEnd = 5,
  kDeviceState = 6,
  kRelease = 7,
  kRefusal = 8,
  kZeroPages = 9,
  kCopiedPages = 10,
  kCompressedPages = 11,
  kStreamEnd = 12,
  kMissingPages = 13,  // post-copy: these three, following_frames.h
  kWantedPage = 14,
  kFollowingPages = 15
};
inline constexpr FrameType kLastFrameType = FrameType::kFollowingPages;

struct FrameHeader {
  FrameType type = FrameType::kHello;
  std::uint32_t runs = 0;
  std::uint64_t bytes = 0;
  std::uint32_t body_checksum = 0;  // of nothing: 0
};

// A page that has the same bytes as another one.
struct PageCopy {
  std::uint64_t page = 0;
  std::uint64_t of = 0;
  std::uint64_t seal = 0;  // never kUnsettledSeal

  bool operator==(const PageCopy&) const = default;
};

inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::size_t kRunBytes = 16;
inline constexpr std::size_t kCopyBytes = 24;
inline constexpr std::size_t kSealBytes = 8;
inline constexpr std::size_t kWriteCountBytes = 4;
// A seal: the CRC-32C of the page, or that it may have changed while it was sent.
inline constexpr std::uint64_t kUnsettledSeal = std::uint64_t{1} << 32;
// Pages of one frame: large enough that calls and headers cost little, and small enough that what
// was just sent or received is in the cache when it is sealed or checked.
inline constexpr std::uint64_t kFramePageBytesMax = std::uint64_t{512} << 10;
inline constexpr std::uint32_t kFrameRunsMax = kFramePageBytesMax / kPageBytes;
inline constexpr std::uint32_t kZeroRunsMax = 4096;
inline constexpr std::uint32_t kCopiesMax = kFrameRunsMax;
inline constexpr std::uint64_t kHelloBytesMax = 64 * 1024;
inline constexpr std::uint64_t kRefusalBytesMax = 4096;

void append_header(const FrameHeader& header, std::vector<std::byte>& out);
void append_runs(const std::vector<PageRun>& runs, std::vector<std::byte>& out);
void append_copies(const std::vector<PageCopy>& copies, std::vector<std::byte>& out);

// Nothing if it is not the header of a known frame, as it was sent.
std::optional<FrameHeader> decode_header(const std::array<std::byte, kFrameHeaderBytes>& bytes);
// Appends the runs to `out` and returns their pages; nothing unless all lie within `pages`, have at
// most `most` pages in all, and no run is empty.
std::optional<std::uint64_t> decode_runs(std::span<const std::byte> bytes, std::uint64_t pages,
                                         std::uint64_t most, std::vector<PageRun>& out);
// Appends the copies to `out`; false unless all lie within `pages` and each has a seal.
bool decode_copies(std::span<const std::byte> bytes, std::uint64_t pages,
                   std::vector<PageCopy>& out);

// The seals of a frame, with their CRC.
void append_seals(const std::vector<std::uint64_t>& seals, std::vector<std::byte>& out);
// Appends the seals to `out`; false if they are not as they were sent.
bool decode_seals(std::span<const std::byte> bytes, std::vector<std::uint64_t>& out);

// A frame whose payload is this message.
std::vector<std::byte> message_frame(FrameType type, const std::string& payload);
// The sentence of a refusal, if the bytes are one and nothing else; otherwise empty.
std::string decode_refusal(std::span<const std::byte> bytes);

// The welcome; `write_counts` is empty if nothing was kept.
std::vector<std::byte> welcome_frame(const std::vector<std::uint32_t>& write_counts);
std::vector<std::uint32_t> decode_write_counts(std::span<const std::byte> bytes);

}  // namespace failsim::node
