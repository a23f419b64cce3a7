// The journals on the shared volume, as the witness of who ran a VM.
#pragma once

#include <cstdint>
#include <string>

#include "tools/benchmark/report.h"
#include "tools/failsim/directory.h"

namespace failsim::bench {

struct JournalSummary {
  std::uint64_t owners = 0;   // registrations
  std::uint64_t counter = 0;  // the last one
};

// Reads the VM's journal beside the running volume and expects of it: one writer an epoch, epochs
// only rise, counters go up by exactly one.
JournalSummary expect_sound_journal(const cli::ClusterDirectory& directory, const std::string& vm,
                                    Report& report);

}  // namespace failsim::bench
