// Whether pre-copy comes to an end: the course from here on, held to its limits, and what would
// have to be different.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cluster/migration/dirty_model.h"
#include "cluster/time.h"

namespace failsim {

// Where pre-copy stands at the end of a round, and what it is still allowed.
struct Standing {
  DirtyModel guest;
  DirtyReading reading = DirtyReading::kPageByPage;
  std::uint64_t link_bytes_per_second = 0;
  Duration last_round = 0;  // how long it took
  Duration downtime_limit = 0;
  Duration fixed_downtime = 0;  // of a switch, beside the time for what is dirty
  std::uint32_t rounds_left = 0;
  Duration time_left = kNever;
  std::uint64_t bytes_left = ~std::uint64_t{0};
};

struct Outlook {
  bool converges =
      false;  // what is dirty fits the downtime limit before any other limit is reached
  std::uint32_t rounds = 0;       // until it does, or as far as was looked
  std::uint64_t least_dirty = 0;  // at the end of the best of them
  Duration least_downtime = 0;    // of a switch then
  bool levels_off = false;        // more rounds would not make it less
};

// Looks at most 300 rounds ahead. Nothing is known of a link of rate 0: it converges.
Outlook look_ahead(const Standing& standing);

// What alone would do, with a tenth to spare; nothing where nothing would.
struct Remedies {
  std::optional<Duration> downtime_limit;
  std::optional<std::uint64_t> link_bytes_per_second;
  std::optional<std::uint64_t> dirty_bytes_per_second;
  std::optional<std::uint32_t> rounds;  // in addition to those left
};
Remedies remedies(const Standing& standing);

// One sentence: what was measured, what it comes to, and what would do.
std::string not_converging_sentence(const Standing& standing);

}  // namespace failsim
