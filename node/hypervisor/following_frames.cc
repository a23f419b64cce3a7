#include "node/hypervisor/following_frames.h"

#include "node/hypervisor/checksum.h"
#include "node/hypervisor/transfer.h"

namespace failsim::node {
namespace {

void append_words(const std::vector<std::uint64_t>& words, std::vector<std::byte>& out) {
  for (const std::uint64_t word : words) {
    for (unsigned i = 0; i < 8; ++i)
      out.push_back(static_cast<std::byte>((word >> (8 * i)) & 0xff));
  }
}

}  // namespace

std::vector<std::byte> missing_frame(const std::vector<std::uint64_t>& words) {
  std::vector<std::byte> body;
  append_words(words, body);
  std::vector<std::byte> frame;
  append_header({FrameType::kMissingPages, 0, body.size(), fast_crc32c(0, body)}, frame);
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

std::vector<std::byte> wanted_frame(std::uint64_t page) {
  std::vector<std::byte> frame;
  append_header({FrameType::kWantedPage, 0, page}, frame);
  return frame;
}

Io send_following(Channel& channel, const GuestMemory& memory,
                  const std::vector<std::uint64_t>& pages) {
  std::vector<std::byte> numbers;
  append_words(pages, numbers);
  std::uint32_t checksum = fast_crc32c(0, numbers);
  std::vector<iovec> pieces(2);
  for (const std::uint64_t page : pages) {
    const std::byte* bytes = memory.page(page);
    checksum = fast_crc32c(checksum, {bytes, kPageBytes});
    pieces.push_back({const_cast<std::byte*>(bytes), kPageBytes});  // only read
  }
  std::vector<std::byte> header;
  append_header({FrameType::kFollowingPages, static_cast<std::uint32_t>(pages.size()),
                 pages.size() * kPageBytes, checksum},
                header);
  pieces[0] = {header.data(), header.size()};
  pieces[1] = {numbers.data(), numbers.size()};
  return channel.send(pieces.data(), pieces.size(), kStreamSilenceLimit);
}

std::vector<std::uint64_t> decode_words(std::span<const std::byte> bytes) {
  std::vector<std::uint64_t> words(bytes.size() / 8, 0);
  for (std::size_t i = 0; i < words.size() * 8; ++i) {
    words[i / 8] |= static_cast<std::uint64_t>(bytes[i]) << (8 * (i % 8));
  }
  return words;
}

}  // namespace failsim::node
