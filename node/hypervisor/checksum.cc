#include "node/hypervisor/checksum.h"

#include <algorithm>

#include <isa-l/crc.h>

namespace failsim::node {
namespace {

// The library counts bytes in an int.
constexpr std::size_t kCallBytesMax = std::size_t{1} << 30;

}  // namespace

std::uint32_t fast_crc32c(std::uint32_t crc, std::span<const std::byte> bytes) {
  crc = ~crc;
  while (!bytes.empty()) {
    const std::size_t now = std::min(bytes.size(), kCallBytesMax);
    // It only reads, whatever its signature says.
    auto* from = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
    crc = crc32_iscsi(from, static_cast<int>(now), crc);
    bytes = bytes.subspan(now);
  }
  return ~crc;
}

}  // namespace failsim::node
