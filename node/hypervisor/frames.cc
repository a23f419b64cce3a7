#include "node/hypervisor/frames.h"

#include <algorithm>

#include "node/hypervisor/checksum.h"

namespace failsim::node {
namespace {

constexpr std::uint32_t kMagic = 0x334d4c46;  // "FLM3"
constexpr std::size_t kCoveredHeaderBytes = kFrameHeaderBytes - 4;

template <typename Number>
void put(Number number, std::vector<std::byte>& out) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    out.push_back(static_cast<std::byte>((std::uint64_t{number} >> (8 * i)) & 0xff));
  }
}

std::uint64_t get(const std::byte* from, std::size_t bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    number |= static_cast<std::uint64_t>(from[i]) << (8 * i);
  }
  return number;
}

std::vector<std::byte> frame_of(FrameType type, std::span<const std::byte> body) {
  std::vector<std::byte> frame;
  frame.reserve(kFrameHeaderBytes + body.size());
  append_header({type, 0, body.size(), fast_crc32c(0, body)}, frame);
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

}  // namespace

void append_header(const FrameHeader& header, std::vector<std::byte>& out) {
  const std::size_t start = out.size();
  put(kMagic, out);
  put(static_cast<std::uint16_t>(header.type), out);
  put(std::uint16_t{0}, out);
  put(header.runs, out);
  put(header.body_checksum, out);
  put(header.bytes, out);
  put(std::uint32_t{0}, out);
  put(fast_crc32c(0, std::span(out).subspan(start)), out);
}

void append_runs(const std::vector<PageRun>& runs, std::vector<std::byte>& out) {
  for (const PageRun& run : runs) {
    put(run.first, out);
    put(run.count, out);
  }
}

void append_copies(const std::vector<PageCopy>& copies, std::vector<std::byte>& out) {
  for (const PageCopy& copy : copies) {
    put(copy.page, out);
    put(copy.of, out);
    put(copy.seal, out);
  }
}

std::optional<FrameHeader> decode_header(const std::array<std::byte, kFrameHeaderBytes>& bytes) {
  if (get(bytes.data(), 4) != kMagic) return std::nullopt;
  const std::uint32_t checksum = fast_crc32c(0, std::span(bytes).first(kCoveredHeaderBytes));
  if (get(bytes.data() + kCoveredHeaderBytes, 4) != checksum) return std::nullopt;
  const std::uint64_t type = get(bytes.data() + 4, 2);
  if (type < 1 || type > static_cast<std::uint64_t>(kLastFrameType)) return std::nullopt;
  FrameHeader header;
  header.type = static_cast<FrameType>(type);
  header.runs = static_cast<std::uint32_t>(get(bytes.data() + 8, 4));
  header.body_checksum = static_cast<std::uint32_t>(get(bytes.data() + 12, 4));
  header.bytes = get(bytes.data() + 16, 8);
  return header;
}

std::optional<std::uint64_t> decode_runs(std::span<const std::byte> bytes, std::uint64_t pages,
                                         std::uint64_t most, std::vector<PageRun>& out) {
  std::uint64_t sum = 0;
  for (std::size_t offset = 0; offset + kRunBytes <= bytes.size(); offset += kRunBytes) {
    const PageRun run{get(bytes.data() + offset, 8), get(bytes.data() + offset + 8, 8)};
    if (run.count == 0 || run.first >= pages || run.count > pages - run.first) return std::nullopt;
    if (run.count > most - sum) return std::nullopt;
    sum += run.count;
    out.push_back(run);
  }
  return sum;
}

bool decode_copies(std::span<const std::byte> bytes, std::uint64_t pages,
                   std::vector<PageCopy>& out) {
  for (std::size_t offset = 0; offset + kCopyBytes <= bytes.size(); offset += kCopyBytes) {
    const std::byte* from = bytes.data() + offset;
    const PageCopy copy{get(from, 8), get(from + 8, 8), get(from + 16, 8)};
    if (copy.page >= pages || copy.of >= pages || copy.seal >= kUnsettledSeal) return false;
    out.push_back(copy);
  }
  return true;
}

void append_seals(const std::vector<std::uint64_t>& seals, std::vector<std::byte>& out) {
  const std::size_t start = out.size();
  for (const std::uint64_t seal : seals) put(seal, out);
  put(std::uint64_t{fast_crc32c(0, std::span(out).subspan(start))}, out);
}

bool decode_seals(std::span<const std::byte> bytes, std::vector<std::uint64_t>& out) {
  if (bytes.size() < kSealBytes || bytes.size() % kSealBytes != 0) return false;
  const std::span seals = bytes.first(bytes.size() - kSealBytes);
  if (get(bytes.data() + seals.size(), kSealBytes) != fast_crc32c(0, seals)) return false;
  for (std::size_t at = 0; at < seals.size(); at += kSealBytes) {
    out.push_back(get(seals.data() + at, kSealBytes));
  }
  return true;
}

std::vector<std::byte> message_frame(FrameType type, const std::string& payload) {
  return frame_of(type, std::as_bytes(std::span(payload)));
}

std::string decode_refusal(std::span<const std::byte> bytes) {
  if (bytes.size() < kFrameHeaderBytes) return "";
  std::array<std::byte, kFrameHeaderBytes> head;
  std::copy_n(bytes.begin(), head.size(), head.begin());
  const std::optional<FrameHeader> header = decode_header(head);
  const std::span body = bytes.subspan(kFrameHeaderBytes);
  const bool is_refusal = header && header->type == FrameType::kRefusal &&
                          header->bytes == body.size() &&
                          header->body_checksum == fast_crc32c(0, body);
  if (!is_refusal) return "";
  return {reinterpret_cast<const char*>(body.data()), body.size()};
}

std::vector<std::byte> welcome_frame(const std::vector<std::uint32_t>& write_counts) {
  std::vector<std::byte> body;
  body.reserve(write_counts.size() * kWriteCountBytes);
  for (const std::uint32_t count : write_counts) put(count, body);
  return frame_of(FrameType::kWelcome, body);
}

std::vector<std::uint32_t> decode_write_counts(std::span<const std::byte> bytes) {
  std::vector<std::uint32_t> counts;
  counts.reserve(bytes.size() / kWriteCountBytes);
  for (std::size_t at = 0; at + kWriteCountBytes <= bytes.size(); at += kWriteCountBytes) {
    counts.push_back(static_cast<std::uint32_t>(get(bytes.data() + at, kWriteCountBytes)));
  }
  return counts;
}

}  // namespace failsim::node
