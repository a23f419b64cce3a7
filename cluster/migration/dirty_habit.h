// How a guest makes its pages dirty, as far as pre-copy has to know it: a closed form for a guest
// whose habits are known, or a curve for one that was watched (dirty_curve.h).
//
// Pages that are written again before they are sent count once, so what is dirty depends on how
// long a page has been clean, and for a guest that writes in order also on where it is. Time is
// counted in steps of the guest's own: bytes it has written, or nanoseconds of a guest that was
// watched. A guest that is slowed down does fewer steps a second.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "cluster/migration/dirty_curve.h"
#include "cluster/migration/dirty_model.h"

namespace failsim {

class DirtyHabit {
 public:
  DirtyHabit() = default;  // writes nothing

  // Anywhere in its working set, and equally often.
  static DirtyHabit even(const DirtyModel& guest);
  // All but one of `cold_writes` writes go to the first `hot_bytes` of the working set.
  static DirtyHabit hot_set(const DirtyModel& guest, std::uint64_t hot_bytes,
                            std::uint32_t cold_writes);
  // Through its working set in order, again and again; next comes the byte at `position`.
  static DirtyHabit sweep(const DirtyModel& guest, std::uint64_t position);
  // As it was watched.
  static DirtyHabit watched(const DirtyCurve& curve);

  // Bytes of the working set between `first` and `end` that are written between two steps.
  std::uint64_t dirty_bytes(std::uint64_t first, std::uint64_t end, std::uint64_t from_step,
                            std::uint64_t to_step) const;
  std::uint64_t working_set_bytes() const { return working_set_bytes_; }
  std::uint64_t steps_per_second() const { return steps_per_second_; }
  // Slower or faster from now on.
  void set_steps_per_second(std::uint64_t steps) { steps_per_second_ = steps; }
  bool is_sweep() const { return std::holds_alternative<Sweep>(form_); }
  // Of a sweep, the byte that comes next.
  std::uint64_t position() const;
  // Of one that was watched, else empty.
  DirtyCurve curve() const;
  // In two numbers: what it writes in a second, and in how much memory.
  DirtyModel in_numbers() const;
  // The same guest so much later.
  DirtyHabit after(Duration elapsed) const;

 private:
  struct Part {
    std::uint64_t bytes;
    std::uint32_t writes;  // of all_writes
  };
  struct Parts {  // one after the other, each written evenly
    std::array<Part, 2> parts;
    std::uint32_t all_writes;
  };
  struct Sweep {
    std::uint64_t position;
  };

  std::variant<Parts, Sweep, DirtyCurve> form_;
  std::uint64_t working_set_bytes_ = 0;
  std::uint64_t steps_per_second_ = 0;
};

}  // namespace failsim
