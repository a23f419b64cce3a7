#include "cluster/migration/dirty_model.h"

#include <algorithm>
#include <utility>

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

// The guest of this working set that dirties `bytes` in `elapsed`.
DirtyModel of_working_set(std::uint64_t working_set, Duration elapsed, std::uint64_t bytes) {
  const std::uint64_t passes = least_passes(
      [&](std::uint64_t y) { return (Wide{working_set} * covered(y) >> kFractionBits) >= bytes; });
  if (passes == kFewestPasses) return {rate_of(bytes, elapsed), working_set};
  return {rate_of_passes(passes, working_set, elapsed), working_set};
}

// Each page went once, after it had been clean since the round before came to it; and what is left
// was dirtied since this round came to it.
DirtyModel fit_page_by_page(const DirtyMeasurement& measured, std::uint64_t memory_bytes) {
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
  return of_working_set(working_set, since, measured.sent_bytes);
}

DirtyModel fit_at_once(const DirtyMeasurement& measured, std::uint64_t memory_bytes,
                       const DirtyModel& former) {
  std::pair shorter(measured.duration, measured.left_bytes);
  std::pair longer(measured.round_before, measured.left_before);
  if (shorter.first > longer.first) std::swap(shorter, longer);
  const std::uint64_t least = std::max(shorter.second, longer.second);
  const bool is_alike = longer.first - shorter.first < longer.first / 8;
  if (is_alike && former.working_set_bytes > 0) {
    return of_working_set(std::max(former.working_set_bytes, least), measured.duration,
                          measured.left_bytes);
  }
  const std::uint64_t passes = least_passes([&](std::uint64_t y) {
    return Wide{longer.second} * covered(y) >=
           Wide{shorter.second} * covered(scaled(y, longer.first, shorter.first));
  });
  const std::uint64_t found =
      whole_of(longer.second, covered(scaled(passes, longer.first, shorter.first)));
  return of_working_set(std::clamp(found, least, std::max(least, memory_bytes)), measured.duration,
                        measured.left_bytes);
}

}  // namespace

std::uint64_t DirtyModel::dirty_bytes(Duration elapsed) const {
  if (working_set_bytes == 0) return 0;
  const std::uint64_t written = bytes_in(elapsed, bytes_per_second);
  const Wide dirty = Wide{working_set_bytes} * covered_fraction(written, working_set_bytes);
  return static_cast<std::uint64_t>(dirty >> kFractionBits);
}

DirtyModel fit(const DirtyMeasurement& measured, DirtyReading reading, std::uint64_t memory_bytes,
               const DirtyModel& former) {
  if (measured.duration <= 0 || measured.round_before <= 0) return former;
  if (measured.left_bytes == 0) return {0, former.working_set_bytes};
  return reading == DirtyReading::kPageByPage ? fit_page_by_page(measured, memory_bytes)
                                              : fit_at_once(measured, memory_bytes, former);
}

}  // namespace failsim
