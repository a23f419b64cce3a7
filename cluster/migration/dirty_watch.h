// Watches how a guest dirties its memory while nothing moves it: looks at the write counts of a
// sample of its pages every few milliseconds and notes how long ago each was written.
//
// The ages tell the whole curve at once: what was dirtied in a window that ends now is what is
// younger than the window. The sample is taken from the pages the guest ever wrote, so a small
// working set in a large memory is seen as well as a large one; it is spread over them evenly, so
// that a hot part has its share of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/migration/dirty_curve.h"
#include "cluster/migration/dirty_habit.h"
#include "cluster/migration/sweep_watch.h"
#include "cluster/time.h"

namespace failsim {

// Between two looks of a guest that has its node to itself.
inline constexpr Duration kWatchInterval = 10 * kMillisecond;

class DirtyWatch {
 public:
  // A page that was never written by the guest has the count `untouched`.
  explicit DirtyWatch(std::uint32_t untouched) : untouched_(untouched) {}

  // One count a page, as many each time; `now` is the guest's own time, which stands still when it
  // does, and rises. Costs about ten microseconds; now and then all counts are gone through.
  void look(Duration now, const std::vector<std::uint32_t>& counts);

  // Empty until it was watched for most of a second. What happens between two looks is filled in
  // from the number of writes.
  DirtyCurve curve() const;
  // The same, or that it writes in order and where it is, at `now`, which is the last look or
  // later; nothing while the curve is empty.
  std::optional<DirtyHabit> habit(Duration now) const;

 private:
  using Parts = std::array<std::uint64_t, kDirtyParts>;
  // What was dirty in a window, summed up over some looks.
  struct Window {
    Parts bytes{};
    std::uint64_t looks = 0;
  };
  static constexpr std::array<Duration, 18> kWindows = {1,  2,  3,  4,  6,   8,   12,  16,  24,
                                                        32, 48, 64, 96, 128, 192, 256, 384, 512};

  bool is_sampled(std::uint64_t page) const;
  void go_through(Duration now, const std::vector<std::uint32_t>& counts);
  void sum_up(Duration now);
  std::size_t part_of(std::size_t index) const;
  std::uint64_t bytes_of(std::uint64_t pages) const;

  std::uint32_t untouched_;
  std::vector<WatchedPage> sample_;  // by number
  unsigned shift_ = 0;               // one page of 2^shift_ is in the sample
  std::uint64_t written_pages_ = 0;  // ever, by the guest: what the sample stands for
  std::uint64_t memory_bytes_ = 0;
  std::optional<Duration> began_at_;
  Duration looked_at_ = 0;
  Duration longest_interval_ = 0;
  Duration go_through_at_ = 0;
  Duration go_through_interval_ = 2 * kWatchInterval;
  std::uint64_t looks_ = 0;
  std::array<Window, kWindows.size()> windows_;
  Parts written_bytes_{};  // all writes, within written_time_
  Duration written_time_ = 0;
  SweepWatch sweep_;
};

}  // namespace failsim
