// What a person types for sizes, rates and durations, and how they are shown again.
//
// A size is a whole number and a unit: B, KiB, MiB, GiB, TiB (powers of 1024) or KB, MB, GB, TB
// (powers of 1000); without a unit it is bytes. A rate is a size a second, with or without "/s". A
// duration needs its unit (ns, us, ms, s, min, h, d) unless it is 0. Signs, fractions and what is
// beyond any machine (a pebibyte, a year) are refused with kInvalidParameter and a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/error.h"
#include "cluster/time.h"

namespace failsim {

inline constexpr std::uint64_t kMaximumSize = std::uint64_t{1} << 50;
inline constexpr Duration kMaximumDuration = Duration{365} * 86'400 * kSecond;

Result<std::uint64_t> parse_size(std::string_view text);
Result<std::uint64_t> parse_rate(std::string_view text);
Result<Duration> parse_duration(std::string_view text);
// A decimal number in [minimum, maximum].
Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t minimum,
                                  std::uint64_t maximum);

std::string show_size(std::uint64_t bytes);                // "256 MiB", "1.5 GiB"
std::string show_rate(std::uint64_t bytes_per_second);     // "20 MiB/s"
std::string show_duration_ms(std::uint64_t milliseconds);  // "300 ms", "2.5 s"

// For messages: at most 40 bytes of it, control bytes shown as '?'.
std::string shortened(std::string_view text);

}  // namespace failsim
