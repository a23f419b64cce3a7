#include "cluster/migration/dirty_curve.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/migration/transfer_rate.h"
#include "cluster/wide.h"

namespace failsim {
namespace {

std::uint64_t between(const DirtyCurve::Point& a, const DirtyCurve::Point& b, Duration elapsed) {
  const Wide rise = Wide{b.bytes - a.bytes} * static_cast<std::uint64_t>(elapsed - a.elapsed);
  return a.bytes +
         static_cast<std::uint64_t>(rise / static_cast<std::uint64_t>(b.elapsed - a.elapsed));
}

}  // namespace

DirtyCurve::DirtyCurve(std::vector<Point> points, std::uint64_t memory_bytes)
    : points_(std::move(points)) {
  Duration before = 0;
  std::uint64_t most = 0;
  for (Point& point : points_) {
    assert(point.elapsed > before);
    before = point.elapsed;
    most = point.bytes = std::min(std::max(most, point.bytes), memory_bytes);
  }
  if (points_.empty()) return;
  const Point last = points_.back();
  beyond_ = even_through({last.elapsed / 2, dirty_bytes(last.elapsed / 2)},
                         {last.elapsed, last.bytes}, memory_bytes);
  straight_to_ = end_of_straight();
}

// A sweep dirties twice as much in twice the time, up to the end; where an even guest has dirtied
// six tenths of its working set it is 1.6 times as much, and less further on.
DirtyCurve::Point DirtyCurve::end_of_straight() const {
  const std::uint64_t most = points_.back().bytes - points_.back().bytes / 10;
  const auto reached = std::find_if(points_.begin(), points_.end(),
                                    [&](const Point& point) { return point.bytes >= most; });
  // Neither all dirty at once, nor at the very end of what was watched.
  if (reached == points_.begin() || std::next(reached) == points_.end()) return {};
  const Point knee = *std::prev(reached);
  const std::uint64_t half = dirty_bytes(knee.elapsed / 2);
  const bool is_straight = knee.bytes >= most / 2 && Wide{knee.bytes} * 10 >= Wide{half} * 18;
  return is_straight ? knee : Point{};
}

std::uint64_t DirtyCurve::dirty_bytes(Duration elapsed) const {
  if (points_.empty() || elapsed <= 0) return 0;
  const auto after =
      std::lower_bound(points_.begin(), points_.end(), elapsed,
                       [](const Point& point, Duration wanted) { return point.elapsed < wanted; });
  if (after == points_.end()) {
    return std::max(points_.back().bytes, beyond_.dirty_bytes(elapsed));
  }
  return between(after == points_.begin() ? Point{} : *std::prev(after), *after, elapsed);
}

DirtyModel DirtyCurve::in_numbers() const {
  if (points_.empty()) return {};
  if (is_sweep()) {
    return {rate_of(straight_to_.bytes, straight_to_.elapsed), points_.back().bytes};
  }
  const std::uint64_t all = std::max(points_.back().bytes, beyond_.working_set_bytes);
  return even_of(all, points_.front());
}

}  // namespace failsim
