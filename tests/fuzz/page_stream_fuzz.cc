// Whatever a migration's source sends on a data connection: the receiver writes nothing outside of
// the VM's memory and of the pages of its stream, and ends with a reason. The first byte says which
// stream it is, and whether the bytes are the stream as they are or frames whose checksums are made
// good here, so that what lies behind the checksums is reached, too.
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include <sys/socket.h>

#include "node/hypervisor/checksum.h"
#include "node/hypervisor/page_receiver.h"
#include "tests/fuzz/target.h"

namespace {

using namespace failsim;
using namespace failsim::node;

constexpr std::uint64_t kPages = 4 * kStripePages;
constexpr std::size_t kStreamBytesMax = std::size_t{64} << 10;  // fits the socket
constexpr std::size_t kRecipeBytes = 9;

std::uint32_t number(const std::uint8_t* from) {
  return static_cast<std::uint32_t>(from[0]) | static_cast<std::uint32_t>(from[1]) << 8 |
         static_cast<std::uint32_t>(from[2]) << 16 | static_cast<std::uint32_t>(from[3]) << 24;
}

// type u8, runs u32, bytes u32, then as many bytes of body as runs or `bytes` call for.
std::vector<std::byte> frames_of(std::span<const std::uint8_t> recipe) {
  std::vector<std::byte> stream;
  while (recipe.size() >= kRecipeBytes && stream.size() < kStreamBytesMax) {
    FrameHeader header;
    header.type = static_cast<FrameType>(1 + recipe[0] % static_cast<int>(kLastFrameType));
    header.runs = number(&recipe[1]) % 1000;
    header.bytes = number(&recipe[5]);
    recipe = recipe.subspan(kRecipeBytes);
    const std::size_t entry = header.type == FrameType::kCopiedPages ? kCopyBytes : kRunBytes;
    const std::size_t table = std::min(recipe.size(), header.runs * entry);
    const auto body = std::as_bytes(recipe.first(table));
    header.body_checksum = fast_crc32c(0, body);
    append_header(header, stream);
    stream.insert(stream.end(), body.begin(), body.end());
    recipe = recipe.subspan(table);
    const auto pages =
        std::as_bytes(recipe.first(std::min<std::size_t>(recipe.size(), header.bytes)));
    stream.insert(stream.end(), pages.begin(), pages.end());
    recipe = recipe.subspan(pages.size());
  }
  return stream;
}

void receive(std::span<const std::byte> stream, std::uint32_t index, std::uint32_t streams) {
  static MemoryBudget budget(kPages * kPageBytes);
  static const bool reserved =
      budget.reserve(kPages * kPageBytes) == MemoryBudget::Answer::kGranted;
  static GuestMemory memory(budget, kPages * kPageBytes);
  static const bool mapped = memory.map();
  require(reserved && mapped);
  int ends[2];
  require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  Signal signal;
  Channel in{Fd(ends[0]), signal};
  {
    const Fd out(ends[1]);
    const ssize_t sent = send(out.get(), stream.data(), stream.size(), MSG_NOSIGNAL);
    require(sent == static_cast<ssize_t>(stream.size()));
  }
  TouchedPages touched(kPages, false);
  PageReceiver receiver(in, memory, touched, index, streams);
  for (;;) {
    std::array<std::byte, kFrameHeaderBytes> bytes;
    if (in.receive(bytes.data(), bytes.size(), kSecond) != Io::kDone) break;
    const auto header = decode_header(bytes);
    if (!header || !PageReceiver::is_page_frame(header->type)) break;
    if (receiver.take(*header)) continue;
    require(receiver.fault().io != Io::kDone);
    break;
  }
  for (std::uint64_t page = 0; page < kPages; ++page) {
    require(!touched.test(page) || stream_of(page, streams) == index);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > kStreamBytesMax) return 0;
  const std::uint32_t streams = 1 + (data[0] >> 1) % 3;
  const std::uint32_t index = (data[0] >> 3) % streams;
  const std::vector<std::uint8_t> copy(data + 1, data + size);
  if (copy.empty()) return 0;
  if ((data[0] & 1) == 0) {
    receive(std::as_bytes(std::span(copy)), index, streams);
  } else {
    const std::vector<std::byte> stream = frames_of(copy);
    if (!stream.empty()) receive(stream, index, streams);
  }
  return 0;
}
