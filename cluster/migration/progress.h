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

}  // namespace failsim
