// The checksum chain of the log: each entry's covers the one before it, so a hole, a swap or a
// flipped bit anywhere before an entry shows in the entry itself.
#pragma once

#include <cstdint>
#include <string_view>

#include "cluster/proto/raft.pb.h"

namespace failsim::raft {

// CRC-32C (Castagnoli) of `bytes`, continuing from `crc`; 0 begins.
std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);

// What the checksum of `entry` must be when it follows an entry with checksum `previous`.
std::uint32_t chain_checksum(std::uint32_t previous, const pb::LogEntry& entry);

}  // namespace failsim::raft
