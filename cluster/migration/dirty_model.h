// How a guest makes its pages dirty, as far as pre-copy has to know it: how fast it writes, and
// over how much memory.
//
// Pages that are written again before they are sent count once, so what is dirty saturates at the
// working set:  W(t) = S (1 - e^(-D t / S)).  Both numbers are estimated from two measurements; a
// guest whose writes are not spread evenly has the numbers of an even one that behaves like it at
// the present length of a round.
#pragma once

#include <cstdint>

#include "cluster/time.h"

namespace failsim {

struct DirtyModel {
  std::uint64_t bytes_per_second = 0;   // D: every page write counts
  std::uint64_t working_set_bytes = 0;  // S

  // W(elapsed): distinct bytes that became dirty in that time.
  std::uint64_t dirty_bytes(Duration elapsed) const;

  bool operator==(const DirtyModel&) const = default;
};

// So many distinct bytes in so long a time.
struct DirtyPoint {
  Duration elapsed = 0;
  std::uint64_t bytes = 0;

  bool operator==(const DirtyPoint&) const = default;
};

// The guest of this working set that passes through the point. A rate beyond eight working sets in
// that time cannot be told from eight: then it is a lower bound.
DirtyModel even_of(std::uint64_t working_set_bytes, const DirtyPoint& point);

// The guest of this rate that passes through the point. One that dirties more than it writes, as it
// may seem, has no end to its working set.
DirtyModel even_at_rate(std::uint64_t bytes_per_second, const DirtyPoint& point);

// The guest that passes through both; `shorter` and `longer` in time. Working sets are looked for
// up to `memory_bytes`.
DirtyModel even_through(const DirtyPoint& shorter, const DirtyPoint& longer,
                        std::uint64_t memory_bytes);

// What is known at the end of a round that is not the first.
struct DirtyMeasurement {
  Duration round_before = 0;     // how long it took
  bool was_first = false;        // that one was of all memory
  Duration duration = 0;         // of this round
  std::uint64_t sent_bytes = 0;  // in it
  std::uint64_t left_bytes = 0;  // dirty at its end
};

// Each page went once, after it had been clean since the round before came to it; and what is left
// was dirtied since this round came to it. Of a round that took no time `former` is all that is
// known.
DirtyModel fit(const DirtyMeasurement& measured, std::uint64_t memory_bytes,
               const DirtyModel& former);

}  // namespace failsim
