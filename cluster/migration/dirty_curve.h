// What a guest was seen to do: how many distinct bytes it dirties in how long a time. Nothing is
// assumed of how it writes.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/migration/dirty_model.h"
#include "cluster/time.h"

namespace failsim {

class DirtyCurve {
 public:
  using Point = DirtyPoint;

  DirtyCurve() = default;  // nothing is dirtied, ever
  // By elapsed time, which is positive and rises; bytes that fall are taken as what was before.
  // Nothing is larger than `memory_bytes`.
  DirtyCurve(std::vector<Point> points, std::uint64_t memory_bytes);

  bool is_empty() const { return points_.empty(); }
  const std::vector<Point>& points() const { return points_; }

  // In a straight line between two points, and before the first. Behind the last it goes on as an
  // even guest would that passes through the last and the one at half its time.
  std::uint64_t dirty_bytes(Duration elapsed) const;

  // What it writes in a second, and what it will all have written some day. Of a guest that
  // rewrites nearly all of it before the first point the rate is a lower bound.
  DirtyModel in_numbers() const;

  // It rises in a straight line until everything is dirty: the guest writes in order.
  bool is_sweep() const { return straight_to_.elapsed > 0; }

 private:
  Point end_of_straight() const;

  std::vector<Point> points_;
  DirtyModel beyond_;  // the even guest behind the last point
  Point straight_to_;  // of a sweep
};

}  // namespace failsim
