// The course that pre-copy takes with a guest of known habits over a link of known rate: round by
// round, what is sent, how long it takes and what is dirty afterwards.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cluster/migration/dirty_pieces.h"
#include "cluster/time.h"

namespace failsim {

struct CourseRound {
  std::uint64_t sent_bytes = 0;
  Duration duration = 0;
  std::uint64_t dirty_bytes = 0;  // at its end
};

class PrecopyCourse {
 public:
  PrecopyCourse() = default;  // nothing is known
  // Before the first byte. The first round sends all `memory_bytes`, the working set first.
  // More pieces are finer and take longer.
  PrecopyCourse(const DirtyHabit& guest, std::uint64_t memory_bytes,
                std::uint64_t link_bytes_per_second, std::size_t pieces = DirtyPieces::kPieces);
  // At the end of a round that took so long, with nothing known of the rounds before.
  static PrecopyCourse behind(const DirtyHabit& guest, std::uint32_t throttle_percent,
                              std::uint64_t link_bytes_per_second, Duration round);

  // A link of rate 0 sends nothing: the round never ends.
  CourseRound next_round();
  // As next_round(), at the rate at which it takes `duration`.
  CourseRound follow(Duration duration, std::uint64_t about_bytes_per_second);

  std::uint64_t dirty_bytes() const { return memory_.dirty_bytes(); }
  // As it writes now.
  const DirtyHabit& guest() const { return memory_.habit(); }
  std::uint64_t link_bytes_per_second() const { return link_bytes_per_second_; }

  // From now on.
  void set_link(std::uint64_t bytes_per_second) { link_bytes_per_second_ = bytes_per_second; }
  void set_throttle_percent(std::uint32_t percent);

 private:
  DirtyPieces memory_;
  std::uint64_t full_steps_per_second_ = 0;
  std::uint64_t link_bytes_per_second_ = 0;
};

}  // namespace failsim
