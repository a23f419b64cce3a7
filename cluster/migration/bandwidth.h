// How slow a migration may be asked to be: one bound, for the command line, the interface, the
// property of a node and the fault of a link.
#pragma once

#include <cstdint>
#include <optional>

#include "cluster/error.h"

namespace failsim {

// Bytes a second. A frame of a transfer holds 64 KiB of pages, and who sends it waits for its end:
// at a small part of this rate the other side would take it for dead.
inline constexpr std::uint64_t kLeastBandwidth = 64 * 1024;

// What each of so many transfers may use of a node's limit; 0 is no limit.
std::uint64_t bandwidth_share(std::uint64_t limit, std::uint64_t senders);
// The smaller of two limits, of which 0 is none.
std::uint64_t smaller_bandwidth(std::uint64_t one, std::uint64_t other);

// Why a migration cannot be limited to this rate.
std::optional<Error> bandwidth_refused(std::uint64_t bytes_per_second);

}  // namespace failsim
