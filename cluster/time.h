// Time as the core knows it: a signed count of nanoseconds on one monotone clock.
//
// In the process world the clock is CLOCK_BOOTTIME (it goes on while the host sleeps, so a lease
// cannot survive a suspend); in the virtual world it is the event queue's time. The core never asks
// what time it is: every step is told. No floating point is used anywhere below node/.
#pragma once

#include <cstdint>
#include <limits>

namespace failsim {

// Nanoseconds since an arbitrary, fixed origin. Never negative in a running member.
using Time = std::int64_t;
// A difference of two Times, in nanoseconds.
using Duration = std::int64_t;

inline constexpr Duration kNanosecond = 1;
inline constexpr Duration kMicrosecond = 1'000 * kNanosecond;
inline constexpr Duration kMillisecond = 1'000 * kMicrosecond;
inline constexpr Duration kSecond = 1'000 * kMillisecond;

// "No deadline": later than any time a member will ever see.
inline constexpr Time kNever = std::numeric_limits<Time>::max();

}  // namespace failsim
