// The clocks of one machine, and how they differ from the true time of the world.
//
// The monotone clock is what members and leases count; it runs at its own rate. The wall clock is
// only read when a process starts. Timers may fire late.
#pragma once

#include <cstdint>

#include "cluster/ids.h"
#include "cluster/time.h"

namespace failsim::sim {

class Clock {
 public:
  // Monotone: what it shows at a true time not before the last change of its rate, and the earliest
  // true time at which it shows `local` or more.
  Time local(Time now) const { return local_ + scaled(now - since_, rate(), kMillion); }
  Time when(Time local) const {
    if (local == kNever) return kNever;
    if (local <= local_) return since_;
    const Duration elapsed = scaled(local - local_, kMillion, rate());
    return since_ + elapsed + (this->local(since_ + elapsed) < local ? 1 : 0);
  }
  // What it has gained so far stays.
  void drift(Time now, std::int64_t added_ppm) {
    local_ = local(now);
    since_ = now;
    ppm_ += added_ppm;
  }
  std::int64_t ppm() const { return ppm_; }

  void jump(Duration by) { wall_offset_ += by; }
  Duration wall_offset() const { return wall_offset_; }

  void delay_timers(Duration added) { timers_late_by_ += added; }
  Duration timers_late_by() const { return timers_late_by_; }

 private:
  static constexpr std::int64_t kMillion = 1'000'000;
  __extension__ typedef __int128 Wide;

  std::int64_t rate() const { return ppm_ > -kMillion / 2 ? kMillion + ppm_ : kMillion / 2; }
  static Duration scaled(Duration time, std::int64_t by, std::int64_t of) {
    if (by == of) return time;
    return static_cast<Duration>(Wide{time} * by / of);
  }

  Time since_ = 0;
  Time local_ = 0;
  std::int64_t ppm_ = 0;
  Duration wall_offset_ = 0;
  Duration timers_late_by_ = 0;
};

}  // namespace failsim::sim
