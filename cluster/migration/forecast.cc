#include "cluster/migration/forecast.h"

#include <algorithm>
#include <cassert>

#include "cluster/migration/precopy_course.h"
#include "cluster/migration/transfer_rate.h"

namespace failsim {

MigrationForecast forecast(const PrecopySettings& settings, std::uint64_t sent_memory_bytes,
                           const DirtyModel& guest, DirtyReading reading,
                           std::uint64_t link_bytes_per_second) {
  assert(link_bytes_per_second > 0);
  const std::uint64_t limit = settings.bandwidth_bytes_per_second;
  const std::uint64_t rate =
      limit == 0 ? link_bytes_per_second : std::min(link_bytes_per_second, limit);
  PrecopyCourse course(guest, reading, rate);
  PrecopyPolicy policy(settings, sent_memory_bytes, reading);
  MigrationForecast told;
  CourseRound round = course.first_round(sent_memory_bytes);
  for (;;) {
    told.total = add(told.total, round.duration);
    told.sent_bytes += std::min(round.sent_bytes, ~told.sent_bytes);
    const RoundEnd end{round.sent_bytes, round.duration, round.dirty_bytes};
    told.ends_with = policy.round_ended(end);
    if (told.ends_with != PrecopyDecision::kContinue) break;
    round = course.next_round();
  }
  told.rounds = policy.rounds();
  told.not_converging = policy.not_converging();
  if (told.ends_with == PrecopyDecision::kFail) return told;
  told.downtime =
      add(time_to_send(round.dirty_bytes, rate), expected_fixed_downtime(settings.downtime_limit));
  told.sent_bytes += std::min(round.dirty_bytes, ~told.sent_bytes);
  told.total = add(told.total, told.downtime);
  return told;
}

}  // namespace failsim
