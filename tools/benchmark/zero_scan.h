// How fast a migration says that memory is zero, beside a walk that only reads the same memory.
#pragma once

#include <cstdint>

#include "cluster/error.h"

namespace failsim::bench {

struct ZeroScan {
  double scan_gib_per_second = 0;  // a round of a transfer: every page found zero and said so
  double walk_gib_per_second = 0;
  double bytes_on_the_wire = 0;  // for each byte of memory
};

// Memory that is present, all zero; one thread. The best of a few runs each, alternating.
Result<ZeroScan> measure_zero_scan(std::uint64_t bytes);

}  // namespace failsim::bench
