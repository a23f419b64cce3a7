#include "cluster/migration/forecast.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "cluster/migration/precopy_course.h"
#include "cluster/migration/transfer_rate.h"

namespace failsim {
namespace {

constexpr std::size_t kPlaces = 15;  // of a sweep that are tried; odd: one is in the middle

template <typename Number>
Number middle(const std::array<MigrationForecast, kPlaces>& told,
              Number MigrationForecast::*number) {
  std::array<Number, kPlaces> sorted;
  for (std::size_t i = 0; i < kPlaces; ++i) sorted[i] = told[i].*number;
  std::nth_element(sorted.begin(), sorted.begin() + kPlaces / 2, sorted.end());
  return sorted[kPlaces / 2];
}

}  // namespace

MigrationForecast forecast(const PrecopySettings& settings, std::uint64_t sent_memory_bytes,
                           const DirtyHabit& guest, std::uint64_t link_bytes_per_second) {
  assert(link_bytes_per_second > 0);
  const std::uint64_t limit = settings.bandwidth_bytes_per_second;
  const std::uint64_t rate =
      limit == 0 ? link_bytes_per_second : std::min(link_bytes_per_second, limit);
  PrecopyCourse course(guest, sent_memory_bytes, rate);
  PrecopyPolicy policy(settings, sent_memory_bytes, {guest, {}});
  MigrationForecast told;
  CourseRound round;
  do {
    round = course.next_round();
    told.total = add(told.total, round.duration);
    told.sent_bytes += std::min(round.sent_bytes, ~told.sent_bytes);
    told.ends_with = policy.round_ended({round.sent_bytes, round.duration, round.dirty_bytes});
    course.set_throttle_percent(policy.throttle_percent());
  } while (told.ends_with == PrecopyDecision::kContinue);
  told.rounds = policy.rounds();
  told.throttle_percent = policy.throttle_percent();
  told.not_converging = policy.not_converging();
  if (told.ends_with == PrecopyDecision::kFail) return told;
  told.downtime = policy.expected().downtime;
  told.total = policy.expected().total;
  told.sent_bytes += std::min(round.dirty_bytes, ~told.sent_bytes);
  return told;
}

MigrationForecast forecast(const PrecopySettings& settings, std::uint64_t sent_memory_bytes,
                           const DirtyCurve& guest, std::uint64_t link_bytes_per_second) {
  if (!guest.is_sweep()) {
    return forecast(settings, sent_memory_bytes, DirtyHabit::watched(guest), link_bytes_per_second);
  }
  std::array<MigrationForecast, kPlaces> told;
  for (std::size_t i = 0; i < kPlaces; ++i) {
    const auto place = static_cast<std::uint32_t>(256 * i / kPlaces);
    told[i] = forecast(settings, sent_memory_bytes, DirtyHabit::watched(guest, place),
                       link_bytes_per_second);
  }
  const PrecopyDecision ends_with = middle(told, &MigrationForecast::ends_with);
  MigrationForecast typical =
      *std::find_if(told.begin(), told.end(),
                    [&](const MigrationForecast& one) { return one.ends_with == ends_with; });
  typical.rounds = middle(told, &MigrationForecast::rounds);
  typical.sent_bytes = middle(told, &MigrationForecast::sent_bytes);
  typical.total = middle(told, &MigrationForecast::total);
  typical.downtime = middle(told, &MigrationForecast::downtime);
  return typical;
}

}  // namespace failsim
