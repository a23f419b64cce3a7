#include "cluster/migration/dirty_habit.h"

#include <algorithm>

#include "cluster/migration/saturation.h"
#include "cluster/migration/transfer_rate.h"
#include "cluster/wide.h"

namespace failsim {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

std::uint64_t overlap(Wide a_first, Wide a_end, Wide b_first, Wide b_end) {
  const Wide first = std::max(a_first, b_first);
  const Wide end = std::min(a_end, b_end);
  return end > first ? static_cast<std::uint64_t>(end - first) : 0;
}

// Of the bytes between `first` and `end`, those that a sweep of `length` from `from` on meets.
std::uint64_t swept(std::uint64_t first, std::uint64_t end, std::uint64_t from,
                    std::uint64_t length, std::uint64_t size) {
  if (length >= size) return end - first;
  const std::uint64_t start = from % size;
  const Wide stop = Wide{start} + length;
  return overlap(start, stop, first, end) +
         overlap(start, stop, Wide{first} + size, Wide{end} + size);
}

}  // namespace

DirtyHabit DirtyHabit::even(const DirtyModel& guest) {
  DirtyHabit habit;
  habit.form_ = Parts{{Part{guest.working_set_bytes, 1}, Part{0, 0}}, 1};
  habit.working_set_bytes_ = guest.working_set_bytes;
  habit.steps_per_second_ = guest.bytes_per_second;
  return habit;
}

DirtyHabit DirtyHabit::hot_set(const DirtyModel& guest, std::uint64_t hot_bytes,
                               std::uint32_t cold_writes) {
  DirtyHabit habit = even(guest);
  const Part hot{hot_bytes, cold_writes - 1};
  habit.form_ = Parts{{hot, Part{guest.working_set_bytes - hot_bytes, 1}}, cold_writes};
  return habit;
}

DirtyHabit DirtyHabit::sweep(const DirtyModel& guest, std::uint64_t position) {
  DirtyHabit habit = even(guest);
  habit.form_ = Sweep{position};
  return habit;
}

DirtyHabit DirtyHabit::watched(const DirtyCurve& curve) {
  DirtyHabit habit;
  habit.form_ = curve;
  habit.working_set_bytes_ = curve.written_bytes();
  habit.steps_per_second_ = kNanosecondsPerSecond;
  return habit;
}

std::uint64_t DirtyHabit::dirty_bytes(std::uint64_t first, std::uint64_t end,
                                      std::uint64_t from_step, std::uint64_t to_step) const {
  if (working_set_bytes_ == 0 || end <= first) return 0;
  const std::uint64_t steps = to_step - from_step;
  if (const auto* sweep = std::get_if<Sweep>(&form_)) {
    const std::uint64_t from = sweep->position + from_step % working_set_bytes_;
    return swept(first, end, from, steps, working_set_bytes_);
  }
  if (const auto* curve = std::get_if<DirtyCurve>(&form_)) {
    const auto elapsed = static_cast<Duration>(std::min<std::uint64_t>(steps, kNever));
    return std::min(curve->dirty_bytes(elapsed, first, end), end - first);
  }
  const Parts& parts = std::get<Parts>(form_);
  std::uint64_t dirty = 0;
  std::uint64_t begin = 0;
  for (const Part& part : parts.parts) {
    const std::uint64_t bytes = overlap(first, end, begin, begin + part.bytes);
    begin += part.bytes;
    if (bytes == 0) continue;
    const Wide written = Wide{steps} * part.writes / parts.all_writes;
    dirty += static_cast<std::uint64_t>(Wide{bytes} * covered_fraction(written, part.bytes) >>
                                        kFractionBits);
  }
  return dirty;
}

std::uint64_t DirtyHabit::position() const {
  const auto* sweep = std::get_if<Sweep>(&form_);
  return sweep == nullptr ? 0 : sweep->position;
}

DirtyCurve DirtyHabit::curve() const {
  const auto* curve = std::get_if<DirtyCurve>(&form_);
  return curve == nullptr ? DirtyCurve() : *curve;
}

DirtyHabit DirtyHabit::after(Duration elapsed) const {
  DirtyHabit later = *this;
  auto* sweep = std::get_if<Sweep>(&later.form_);
  if (sweep == nullptr || working_set_bytes_ == 0) return later;
  const Wide gone = Wide{bytes_in(elapsed, steps_per_second_)} + sweep->position;
  sweep->position = static_cast<std::uint64_t>(gone % working_set_bytes_);
  return later;
}

DirtyModel DirtyHabit::in_numbers() const {
  const auto* curve = std::get_if<DirtyCurve>(&form_);
  if (curve == nullptr) return {steps_per_second_, working_set_bytes_};
  const DirtyModel at_full_speed = curve->in_numbers();
  const Wide rate = Wide{at_full_speed.bytes_per_second} * steps_per_second_;
  return {saturate(rate / kNanosecondsPerSecond), at_full_speed.working_set_bytes};
}

}  // namespace failsim
