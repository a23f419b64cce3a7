// Whether pre-copy comes to an end: the course from here on, held to its limits, and what would
// have to be different.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/error.h"
#include "cluster/migration/precopy_course.h"
#include "cluster/time.h"

namespace failsim {

// Where pre-copy stands at the end of a round, and what it is still allowed.
struct Standing {
  PrecopyCourse course;                // the guest as it writes now
  std::uint32_t throttle_percent = 0;  // of the guest's time is taken from it now
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
  Duration time = 0;              // that they take
  std::uint64_t sent_bytes = 0;   // in them
  std::uint64_t least_dirty = 0;  // at the end of the best of them
  Duration least_downtime = 0;    // of a switch then
  bool levels_off = false;        // more rounds would not make it less
};

// Looks at most 300 rounds ahead. Nothing is known of a link of rate 0: it converges.
Outlook look_ahead(const Standing& standing);

// As it would be with a guest from which so much of its time is taken, from now on.
Standing throttled(const Standing& standing, std::uint32_t percent);

// A guest keeps a part of its time, or it could never be paused in order.
inline constexpr std::uint32_t kMostThrottlePercent = 99;

// So much of the guest's time may be taken from it: the first, so much more each time, and the most
// of all.
struct ThrottleSteps {
  std::uint32_t first_percent = 20;
  std::uint32_t step_percent = 10;
  std::uint32_t most_percent = kMostThrottlePercent;
};
// "FIRST,STEP,MOST" in percent, for example "20,10,99"; what is left out at the end is as usual.
// Errors: kInvalidParameter.
Result<ThrottleSteps> parse_throttle(std::string_view text);
// The smallest step above the present one with which it converges; nothing if none does.
std::optional<std::uint32_t> least_throttle(const Standing& standing, const ThrottleSteps& steps);

// What alone would do, with a tenth to spare; nothing where nothing would.
struct Remedies {
  std::optional<Duration> downtime_limit;
  std::optional<std::uint64_t> link_bytes_per_second;
  std::optional<std::uint32_t> throttle_percent;  // of the guest's own time
  std::uint64_t dirty_bytes_per_second = 0;       // what the guest writes then
  std::optional<std::uint32_t> rounds;            // in addition to those left
};
Remedies remedies(const Standing& standing);

// One sentence: what was measured, what it comes to, and what would do.
std::string not_converging_sentence(const Standing& standing);

}  // namespace failsim
