#include "cluster/migration/forecast.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "cluster/migration/precopy_course.h"
#include "cluster/migration/transfer_rate.h"

namespace failsim {
namespace {

// What a sweep leaves behind depends on where exactly the sender and it overtake each other.
constexpr std::size_t kPiecesOfSweep = 1024;

}  // namespace

MigrationForecast forecast(const PrecopySettings& settings, std::uint64_t sent_memory_bytes,
                           const DirtyHabit& guest, std::uint64_t link_bytes_per_second) {
  assert(link_bytes_per_second > 0);
  const std::uint64_t limit = settings.bandwidth_bytes_per_second;
  const std::uint64_t rate =
      limit == 0 ? link_bytes_per_second : std::min(link_bytes_per_second, limit);
  PrecopyCourse course(guest, sent_memory_bytes, rate,
                       guest.is_sweep() ? kPiecesOfSweep : DirtyPieces::kPieces);
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

}  // namespace failsim
