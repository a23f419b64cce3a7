#include "cluster/migration/precopy_course.h"

#include <cassert>

#include "cluster/migration/transfer_rate.h"
#include "cluster/wide.h"

namespace failsim {

PrecopyCourse::PrecopyCourse(const DirtyHabit& guest, std::uint64_t memory_bytes,
                             std::uint64_t link_bytes_per_second, std::size_t pieces)
    : memory_(guest, memory_bytes, pieces),
      full_steps_per_second_(guest.steps_per_second()),
      link_bytes_per_second_(link_bytes_per_second) {}

PrecopyCourse PrecopyCourse::behind(const DirtyHabit& guest, std::uint32_t throttle_percent,
                                    std::uint64_t link_bytes_per_second, Duration round) {
  PrecopyCourse course(guest, guest.working_set_bytes(), link_bytes_per_second);
  course.set_throttle_percent(throttle_percent);
  const auto pieces = static_cast<Duration>(course.memory_.count());
  for (std::size_t i = 0; i < course.memory_.count(); ++i) {
    course.memory_.take(i);
    course.memory_.execute(round / pieces);
  }
  return course;
}

void PrecopyCourse::set_throttle_percent(std::uint32_t percent) {
  assert(percent < 100);
  memory_.set_steps_per_second(
      static_cast<std::uint64_t>(Wide{full_steps_per_second_} * (100 - percent) / 100));
}

CourseRound PrecopyCourse::next_round() {
  CourseRound round;
  for (std::size_t i = 0; i < memory_.count(); ++i) {
    const std::uint64_t bytes = memory_.take(i);
    const Duration time = time_to_send(bytes, link_bytes_per_second_);
    memory_.execute(time);
    round.sent_bytes += bytes;
    round.duration = add(round.duration, time);
  }
  round.dirty_bytes = memory_.dirty_bytes();
  return round;
}

CourseRound PrecopyCourse::follow(Duration duration, std::uint64_t about_bytes_per_second) {
  PrecopyCourse trial = *this;
  trial.set_link(about_bytes_per_second);
  const std::uint64_t needed = rate_of(trial.next_round().sent_bytes, duration);
  set_link(needed > 0 ? needed : about_bytes_per_second);
  return next_round();
}

}  // namespace failsim
