// How a guest makes its pages dirty, as far as pre-copy has to know it: how fast it writes, and
// over how much memory.
//
// Pages that are written again before they are sent count once, so what is dirty saturates at the
// working set:  W(t) = S (1 - e^(-D t / S)).  Both numbers are estimated from two measurements of
// one round; a guest whose writes are not spread evenly has the numbers of an even one that behaves
// like it at the present length of a round.
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

// When a round finds out what is dirty.
enum class DirtyReading : std::uint8_t {
  kPageByPage,  // as it comes to each page: a page written ahead of it goes with it
  kAtOnce       // as it begins: a VM of which only sizes are known
};

// What is known at the end of a round that is not the first.
struct DirtyMeasurement {
  Duration round_before = 0;      // how long it took
  bool was_first = false;         // that one was of all memory
  std::uint64_t left_before = 0;  // dirty at its end
  Duration duration = 0;          // of this round
  std::uint64_t sent_bytes = 0;   // in it
  std::uint64_t left_bytes = 0;   // dirty at its end
};

// Working sets are looked for up to `memory_bytes`. `former` keeps its working set where two rounds
// of the same length show only one number. A rate beyond eight working sets a round cannot be told
// from eight: then D is a lower bound.
DirtyModel fit(const DirtyMeasurement& measured, DirtyReading reading, std::uint64_t memory_bytes,
               const DirtyModel& former);

}  // namespace failsim
