// QEMU's own live migration of a guest of the same size and content, as a measure. QEMU is never
// needed: without it there is nothing to compare with.
#pragma once

#include <optional>
#include <string>

#include "cluster/error.h"
#include "tools/benchmark/mover.h"

namespace failsim::bench {

// "QEMU 7.2.22" of the one that PATH knows; nothing without one.
std::optional<std::string> qemu_version();

// One migration over loopback, in two processes of qemu-system-x86_64 under TCG with one vCPU. The
// RAM is a file in /dev/shm, prefilled (zero: anonymous memory, as nobody has touched it); a warm
// target has its RAM preallocated. More than one stream is QEMU's multifd. The guest is paused but
// for kDirtying, where a program of a few instructions sweeps the working set. In a network of its
// own with the congestion control of the other measurements, if this process may make one.
Result<BulkFigure> measure_qemu(const BulkOptions& options);

}  // namespace failsim::bench
