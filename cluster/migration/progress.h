// PercentComplete of a migration, as it is agreed when a phase begins.
//
// In between its source knows more, but nobody else does: it never shows more than what the next
// phase begins with, or the number would fall when the source is asked no longer.
#pragma once

#include <cstdint>

namespace failsim {

inline constexpr std::uint32_t kProgressInTransfer = 5;
inline constexpr std::uint32_t kProgressAtMove = 90;
inline constexpr std::uint32_t kProgressAtComplete = 95;
inline constexpr std::uint32_t kProgressWithAllPages = 97;

// Of what has to be sent, how much is: 0 to 99. It may fall when the guest dirties faster than the
// stream is; who shows it shows the most so far.
inline std::uint32_t percent_sent(std::uint64_t sent_bytes, std::uint64_t remaining_bytes) {
  const std::uint64_t all = sent_bytes + remaining_bytes;
  return static_cast<std::uint32_t>(all == 0 ? 0 : sent_bytes / (all / 100 + 1));
}

}  // namespace failsim
