// The course that pre-copy takes with a guest of known habits over a link of known rate: round by
// round, what is sent, how long it takes and what is dirty afterwards.
//
// The working set is looked at in a few equal pieces, each with the time since when it is clean;
// the share of a piece that is dirty when a round comes to it is the closed form of DirtyModel.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/migration/dirty_model.h"
#include "cluster/time.h"

namespace failsim {

struct CourseRound {
  std::uint64_t sent_bytes = 0;
  Duration duration = 0;
  std::uint64_t dirty_bytes = 0;  // at its end
};

class PrecopyCourse {
 public:
  // Neither rate nor working set is 0 where anything is dirty.
  PrecopyCourse(const DirtyModel& guest, DirtyReading reading, std::uint64_t link_bytes_per_second);

  // Sends all `memory_bytes`, the working set first.
  CourseRound first_round(std::uint64_t memory_bytes);
  // As it is at the end of a round that took so long.
  void begin_behind(Duration round);
  CourseRound next_round();

  std::uint64_t dirty_bytes() const;

 private:
  std::uint64_t dirty_bytes_of(std::size_t piece) const;

  DirtyModel guest_;
  std::uint64_t link_bytes_per_second_;
  Duration now_ = 0;
  std::vector<Duration> clean_since_;  // per piece
};

}  // namespace failsim
