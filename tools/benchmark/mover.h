// How fast memory can be moved from one process to another over loopback TCP: by the simplest
// possible program, and by a live migration.
//
// Both move incompressible memory that lies distinct and warm on both sides, from one process to
// another, on sockets with the same congestion control. The minimal mover writes and reads it 1 MiB
// a call; it is the limit a migration is measured against, in the same run, because machines drift.
//
// Both functions fork: call them while the process has one thread.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/error.h"

namespace failsim::bench {

// What is in the memory of the VM; the mover always moves incompressible bytes.
enum class Content {
  kRandom,   // incompressible, and nobody writes
  kZero,     // nobody has ever written
  kDirtying  // incompressible, and the guest sweeps `working_set_bytes` all the time
};

struct BulkOptions {
  std::uint64_t bytes = std::uint64_t{1} << 30;  // a multiple of 2 MiB times the streams
  unsigned streams = 1;
  Content content = Content::kRandom;
  std::uint64_t working_set_bytes = std::uint64_t{64} << 20;
  // From before the target has memory; else from when it is ready, with all memory touched.
  bool is_cold = false;
  unsigned repeats = 5;  // the median one counts
  std::string source_address = "127.91.0.1";
  std::string target_address = "127.91.0.2";
  std::uint16_t port = 6600;
};

struct BulkFigure {
  double gib_per_second = 0;  // of the memory, whatever was sent of it
  double source_cpu_seconds_per_gib = 0;
  double target_cpu_seconds_per_gib = 0;
  double seconds = 0;           // in all
  double downtime_seconds = 0;  // from the order to stop the guest until the target holds all
  std::uint64_t bytes_sent = 0;
};

// The minimal mover.
Result<BulkFigure> measure_mover(const BulkOptions& options);

// A live migration of one backed VM, from the order to send until the target holds all.
Result<BulkFigure> measure_migration(const BulkOptions& options);

}  // namespace failsim::bench
