// The memory of a guest of known habits as pre-copy meets it: how much of it is dirty, piece by
// piece, in the order in which a round goes through it.
//
// Modelled VMs are this in both worlds; and it is what a course is reckoned on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/migration/dirty_habit.h"
#include "cluster/time.h"

namespace failsim {

class DirtyPieces {
 public:
  static constexpr std::size_t kPieces = 64;

  DirtyPieces() = default;  // no memory
  // All of `memory_bytes` is dirty; the working set is at its start, in so many pieces.
  DirtyPieces(const DirtyHabit& habit, std::uint64_t memory_bytes, std::size_t pieces = kPieces);

  // The guest executes for so long.
  void execute(Duration elapsed);
  // From now on it writes at another rate, with what was dirtied until now.
  void set_steps_per_second(std::uint64_t steps) { habit_.set_steps_per_second(steps); }

  std::size_t count() const { return pieces_.size(); }
  std::uint64_t dirty_bytes() const;
  std::uint64_t dirty_bytes_of(std::size_t piece) const;
  // It is sent: from now on it is clean. What of it was dirty.
  std::uint64_t take(std::size_t piece);

  const DirtyHabit& habit() const { return habit_; }

 private:
  struct Piece {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    bool was_taken = false;
    std::uint64_t clean_since = 0;  // step, once it was taken
  };

  DirtyHabit habit_;
  std::vector<Piece> pieces_;
  std::uint64_t steps_ = 0;
  std::uint64_t step_fraction_ = 0;  // of the next one, in units of 10^-9
};

}  // namespace failsim
