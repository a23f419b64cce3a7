// Bytes, nanoseconds and bytes a second, converted into each other without overflow.
#pragma once

#include <cstdint>

#include "cluster/time.h"

namespace failsim {

// Bytes per second of a transfer that sent `bytes` in `duration`; 0 if nothing can be said.
std::uint64_t rate_of(std::uint64_t bytes, Duration duration);

// The time `bytes` take at `bytes_per_second`, rounded up; kNever at rate 0 unless there are none.
Duration time_to_send(std::uint64_t bytes, std::uint64_t bytes_per_second);

// What passes in `duration` at `bytes_per_second`.
std::uint64_t bytes_in(Duration duration, std::uint64_t bytes_per_second);

// The sum, or kNever if there is none.
Duration add(Duration a, Duration b);

}  // namespace failsim
