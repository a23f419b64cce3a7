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

// Why a migration cannot be limited to this rate.
std::optional<Error> bandwidth_refused(std::uint64_t bytes_per_second);

}  // namespace failsim
