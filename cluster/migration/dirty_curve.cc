#include "cluster/migration/dirty_curve.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "cluster/migration/transfer_rate.h"
#include "cluster/wide.h"

namespace failsim {
namespace {

constexpr unsigned kShareBits = 32;

std::uint64_t on_the_line(const DirtyPoint& a, const DirtyPoint& b, Duration elapsed) {
  const Wide rise = Wide{b.bytes - a.bytes} * static_cast<std::uint64_t>(elapsed - a.elapsed);
  return a.bytes +
         static_cast<std::uint64_t>(rise / static_cast<std::uint64_t>(b.elapsed - a.elapsed));
}

// Of what is dirty, the part that lies before `place`, a multiple of 2^-kShareBits of the working
// set; as such a multiple itself.
std::uint64_t share_before(const DirtySpread& seen, std::uint64_t place) {
  const std::uint64_t all = seen.all();
  if (all == 0) return place;
  const std::uint64_t parts = place * kDirtyParts;
  const auto whole_parts = static_cast<std::size_t>(parts >> kShareBits);
  const std::uint64_t rest = parts & ((std::uint64_t{1} << kShareBits) - 1);
  Wide before = 0;
  for (std::size_t i = 0; i < whole_parts; ++i) before += Wide{seen.bytes[i]} << kShareBits;
  if (rest > 0) before += Wide{seen.bytes[whole_parts]} * rest;
  return static_cast<std::uint64_t>(before / all);
}

}  // namespace

std::uint64_t DirtySpread::all() const {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
}

DirtyCurve::DirtyCurve(std::vector<DirtySpread> seen, std::uint64_t written_bytes,
                       std::uint64_t memory_bytes)
    : seen_(std::move(seen)) {
  DirtyPoint before;
  for (const DirtySpread& spread : seen_) {
    assert(spread.elapsed > before.elapsed);
    before = {spread.elapsed, std::min(std::max(before.bytes, spread.all()), memory_bytes)};
    points_.push_back(before);
  }
  if (points_.empty()) return;
  const DirtyPoint last = points_.back();
  beyond_ = even_through({last.elapsed / 2, dirty_bytes(last.elapsed / 2)}, last, memory_bytes);
  written_bytes_ = std::max(written_bytes, in_numbers().working_set_bytes);
}

std::uint64_t DirtyCurve::dirty_bytes(Duration elapsed) const {
  if (points_.empty() || elapsed <= 0) return 0;
  const auto after = std::lower_bound(
      points_.begin(), points_.end(), elapsed,
      [](const DirtyPoint& point, Duration wanted) { return point.elapsed < wanted; });
  if (after == points_.end()) {
    return std::max(points_.back().bytes, beyond_.dirty_bytes(elapsed));
  }
  return on_the_line(after == points_.begin() ? DirtyPoint{} : *std::prev(after), *after, elapsed);
}

std::uint64_t DirtyCurve::dirty_bytes(Duration elapsed, std::uint64_t first,
                                      std::uint64_t end) const {
  if (written_bytes_ == 0) return 0;
  const Wide dirty = dirty_bytes(elapsed);
  const auto place = [&](std::uint64_t byte) {
    return static_cast<std::uint64_t>((Wide{std::min(byte, written_bytes_)} << kShareBits) /
                                      written_bytes_);
  };
  const auto share = [&, from = place(first), to = place(end)](const DirtySpread& spread) {
    return share_before(spread, to) - share_before(spread, from);
  };
  const auto after = std::lower_bound(
      seen_.begin(), std::prev(seen_.end()), elapsed,
      [](const DirtySpread& spread, Duration wanted) { return spread.elapsed < wanted; });
  const DirtyPoint later{after->elapsed, share(*after)};
  if (after == seen_.begin() || elapsed >= later.elapsed) {
    return static_cast<std::uint64_t>(dirty * later.bytes >> kShareBits);
  }
  const DirtySpread& earlier = *std::prev(after);
  const Wide past = static_cast<std::uint64_t>(elapsed - earlier.elapsed);
  const Wide left = static_cast<std::uint64_t>(later.elapsed - elapsed);
  const Wide mean = (Wide{share(earlier)} * left + Wide{later.bytes} * past) / (left + past);
  return static_cast<std::uint64_t>(dirty * mean >> kShareBits);
}

DirtyModel DirtyCurve::in_numbers() const {
  if (points_.empty()) return {};
  const std::uint64_t all = std::max(points_.back().bytes, beyond_.working_set_bytes);
  return even_of(all, points_.front());
}

}  // namespace failsim
