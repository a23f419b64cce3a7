// What a migration will be like, before its first byte: the policy played against the course that
// pre-copy takes with the guest as it was observed.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/migration/precopy_policy.h"

namespace failsim {

struct MigrationForecast {
  PrecopyDecision ends_with = PrecopyDecision::kContinue;  // kSwitch: it converges
  std::uint32_t rounds = 0;                                // of pre-copy
  std::uint64_t sent_bytes = 0;
  Duration total = 0;     // from the first byte to the resume, or to the failure
  Duration downtime = 0;  // 0 if it fails
  std::uint32_t throttle_percent = 0;
  std::string not_converging;
};

// `sent_memory_bytes` is what the first round will send: all memory, or what the guest ever
// touched; the working set goes first. A sweep is where it is as the first byte goes. A link of
// rate 0 is refused by an assertion.
MigrationForecast forecast(const PrecopySettings& settings, std::uint64_t sent_memory_bytes,
                           const DirtyHabit& guest, std::uint64_t link_bytes_per_second);

}  // namespace failsim
