#include "cluster/migration/dirty_model.h"

#include <algorithm>

#include "cluster/migration/saturation.h"
#include "cluster/migration/transfer_rate.h"

namespace failsim {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::uint64_t kOne = std::uint64_t{1} << kFractionBits;

// How often the working set is written through in a round, in units of 2^-16. Looked for by
// halving.
constexpr std::uint64_t kPass = std::uint64_t{1} << 16;
constexpr std::uint64_t kFewestPasses = kPass >> 10;
constexpr std::uint64_t kMostPasses = 8 * kPass;

// The smallest number of passes that is `enough`, which stays true once it is.
template <typename Enough>
std::uint64_t least_passes(Enough&& enough) {
  std::uint64_t low = kFewestPasses;
  std::uint64_t high = kMostPasses;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (enough(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// The part that is dirty after so many passes ...
std::uint64_t covered(Wide passes) {
  return covered_fraction(passes, kPass);
}

// ... and of memory that was cleaned evenly during them: 1 - (1 - e^-y) / y.
std::uint64_t mean_covered(std::uint64_t passes) {
  const Wide part = Wide{covered(passes)} * kPass / passes;
  return part >= kOne ? 0 : kOne - static_cast<std::uint64_t>(part);
}

Wide scaled(std::uint64_t passes, Duration to, Duration from) {
  return Wide{passes} * static_cast<std::uint64_t>(to) / static_cast<std::uint64_t>(from);
}

std::uint64_t rate_of_passes(std::uint64_t passes, std::uint64_t working_set, Duration duration) {
  return saturate(Wide{passes} * working_set / kPass * kNanosecondsPerSecond /
                  static_cast<std::uint64_t>(duration));
}

// Of which the covered part is `bytes`.
std::uint64_t whole_of(std::uint64_t bytes, std::uint64_t part) {
  return part == 0 ? 0 : saturate((Wide{bytes} << kFractionBits) / part);
}

}  // namespace

DirtyModel even_of(std::uint64_t working_set, const DirtyPoint& point) {
  const std::uint64_t passes = least_passes([&](std::uint64_t y) {
    return (Wide{working_set} * covered(y) >> kFractionBits) >= point.bytes;
  });
  if (passes == kFewestPasses) return {rate_of(point.bytes, point.elapsed), working_set};
  return {rate_of_passes(passes, working_set, point.elapsed), working_set};
}

DirtyModel even_at_rate(std::uint64_t bytes_per_second, const DirtyPoint& point) {
  const std::uint64_t written = bytes_in(point.elapsed, bytes_per_second);
  const std::uint64_t passes = least_passes([&](std::uint64_t y) {
    return (Wide{point.bytes} * y << kFractionBits) / kPass >= Wide{written} * covered(y);
  });
  return {bytes_per_second, saturate(Wide{written} * kPass / passes)};
}

DirtyModel even_through(const DirtyPoint& shorter, const DirtyPoint& longer,
                        std::uint64_t memory_bytes) {
  const std::uint64_t least = std::max(shorter.bytes, longer.bytes);
  const std::uint64_t passes = least_passes([&](std::uint64_t y) {
    return Wide{longer.bytes} * covered(y) >=
           Wide{shorter.bytes} * covered(scaled(y, longer.elapsed, shorter.elapsed));
  });
  const std::uint64_t found =
      whole_of(longer.bytes, covered(scaled(passes, longer.elapsed, shorter.elapsed)));
  return even_of(std::clamp(found, least, std::max(least, memory_bytes)), longer);
}

DirtyModel fit(const DirtyMeasurement& measured, std::uint64_t memory_bytes,
               const DirtyModel& former) {
  if (measured.duration <= 0 || measured.round_before <= 0) return former;
  if (measured.left_bytes == 0) return {0, former.working_set_bytes};
  // The first round came to the working set, at the start of memory, and then to the rest.
  const Duration since = measured.was_first ? measured.round_before
                                            : measured.round_before / 2 + measured.duration / 2;
  const std::uint64_t passes = least_passes([&](std::uint64_t y) {
    return Wide{measured.sent_bytes} * mean_covered(y) >=
           Wide{measured.left_bytes} * covered(scaled(y, since, measured.duration));
  });
  const std::uint64_t least = std::max(measured.sent_bytes, measured.left_bytes);
  const std::uint64_t found =
      whole_of(measured.sent_bytes, covered(scaled(passes, since, measured.duration)));
  const std::uint64_t working_set = std::clamp(found, least, std::max(least, memory_bytes));
  if (working_set == found) {
    return {rate_of_passes(passes, working_set, measured.duration), working_set};
  }
  return even_of(working_set, {since, measured.sent_bytes});
}

std::uint64_t DirtyModel::dirty_bytes(Duration elapsed) const {
  if (working_set_bytes == 0) return 0;
  const std::uint64_t written = bytes_in(elapsed, bytes_per_second);
  const Wide dirty = Wide{working_set_bytes} * covered_fraction(written, working_set_bytes);
  return static_cast<std::uint64_t>(dirty >> kFractionBits);
}

}  // namespace failsim
