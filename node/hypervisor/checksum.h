// The checksum of what goes over a data connection: CRC-32C, at the speed of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace failsim::node {

// CRC-32C (Castagnoli) of `bytes`, continuing from `crc`; 0 begins. The same function as
// raft::crc32c, by the processor's own instructions where it has them.
std::uint32_t fast_crc32c(std::uint32_t crc, std::span<const std::byte> bytes);

}  // namespace failsim::node
