// What a guest was seen to do: how many distinct bytes it dirties in how long a time, and how they
// are spread over its working set. Nothing is assumed of how it writes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/migration/dirty_model.h"
#include "cluster/time.h"

namespace failsim {

// A round goes through memory in order, so it matters whether the pages that are written most come
// early. What the guest ever wrote is looked at in equal parts of it, in the order of memory.
inline constexpr std::size_t kDirtyParts = 16;

// So many distinct bytes in each part in so long a time.
struct DirtySpread {
  Duration elapsed = 0;
  std::array<std::uint64_t, kDirtyParts> bytes{};

  std::uint64_t all() const;
  bool operator==(const DirtySpread&) const = default;
};

class DirtyCurve {
 public:
  DirtyCurve() = default;  // nothing is dirtied, ever
  // By elapsed time, which is positive and rises; bytes that fall are taken as what was before.
  // Nothing is larger than `memory_bytes`. Ever, also before it was watched, the guest wrote
  // `written_bytes`.
  DirtyCurve(std::vector<DirtySpread> seen, std::uint64_t written_bytes,
             std::uint64_t memory_bytes);

  bool is_empty() const { return seen_.empty(); }
  const std::vector<DirtySpread>& seen() const { return seen_; }

  // In a straight line between two points, and before the first. Behind the last it goes on as an
  // even guest would that passes through the last and the one at half its time.
  std::uint64_t dirty_bytes(Duration elapsed) const;
  // Those of them between `first` and `end` of written_bytes().
  std::uint64_t dirty_bytes(Duration elapsed, std::uint64_t first, std::uint64_t end) const;
  // All that it ever wrote, or will have written some day.
  std::uint64_t written_bytes() const { return written_bytes_; }

  // What it writes in a second, and in how much memory as far as it does so lately. Of a guest that
  // rewrites nearly all of it before the first point the rate is a lower bound.
  DirtyModel in_numbers() const;

 private:
  std::vector<DirtySpread> seen_;
  std::vector<DirtyPoint> points_;  // the same in all
  DirtyModel beyond_;               // the even guest behind the last point
  std::uint64_t written_bytes_ = 0;
};

}  // namespace failsim
