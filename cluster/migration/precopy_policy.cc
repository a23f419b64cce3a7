#include "cluster/migration/precopy_policy.h"

#include <algorithm>

#include "cluster/migration/transfer_rate.h"

namespace failsim {
namespace {

constexpr Duration kFixedDowntime = 20 * kMillisecond;
constexpr std::uint32_t kRoundsToBeSure = 2;

}  // namespace

PrecopySettings settings_of(const pb::MigrationParameters& parameters) {
  PrecopySettings settings;
  settings.bandwidth_bytes_per_second = parameters.bandwidth_bytes_per_second();
  if (parameters.downtime_limit_ns() > 0) settings.downtime_limit = parameters.downtime_limit_ns();
  settings.max_downtime = parameters.max_downtime_ns();
  if (parameters.max_rounds() > 0) settings.max_rounds = parameters.max_rounds();
  settings.timeout = parameters.timeout_ns();
  settings.max_bytes = parameters.max_bytes();
  settings.on_no_convergence = parameters.on_no_convergence();
  return settings;
}

Duration expected_fixed_downtime(Duration downtime_limit) {
  return std::min(kFixedDowntime, downtime_limit / 4);
}

PrecopyPolicy::PrecopyPolicy(const PrecopySettings& settings, std::uint64_t memory_bytes,
                             DirtyReading reading)
    : settings_(settings), memory_bytes_(memory_bytes), reading_(reading) {}

PrecopyDecision PrecopyPolicy::round_ended(const RoundEnd& end) {
  measure(end);
  if (end.dirty_bytes == 0 || downtime_of(end.dirty_bytes) <= settings_.downtime_limit) {
    not_converging_.clear();
    return PrecopyDecision::kSwitch;
  }
  if (rounds_ > 1) {
    const Outlook outlook = look_ahead(standing());
    rounds_against_ = outlook.converges ? 0 : rounds_against_ + 1;
    if (outlook.converges) not_converging_.clear();
    if (rounds_against_ >= kRoundsToBeSure && !is_used_up()) {
      return unlike_to_converge(end, outlook);
    }
  }
  return is_used_up() ? give_in(end) : PrecopyDecision::kContinue;
}

PrecopyDecision PrecopyPolicy::unlike_to_converge(const RoundEnd& end, const Outlook& outlook) {
  // Written once: the numbers of later rounds hardly differ.
  if (not_converging_.empty()) not_converging_ = not_converging_sentence(standing());
  switch (settings_.on_no_convergence) {
    case pb::NO_CONVERGENCE_FAIL:
      return PrecopyDecision::kFail;
    case pb::NO_CONVERGENCE_SWITCH:
      if (permits(downtime_of(end.dirty_bytes))) return PrecopyDecision::kSwitchForced;
      return permits(outlook.least_downtime) ? PrecopyDecision::kContinue : PrecopyDecision::kFail;
    case pb::NO_CONVERGENCE_POST_COPY:
      return PrecopyDecision::kPostCopy;
    default:
      return PrecopyDecision::kContinue;
  }
}

PrecopyDecision PrecopyPolicy::give_in(const RoundEnd& end) {
  if (not_converging_.empty()) not_converging_ = not_converging_sentence(standing());
  if (settings_.on_no_convergence == pb::NO_CONVERGENCE_POST_COPY) return PrecopyDecision::kPostCopy;
  const bool switches = settings_.on_no_convergence != pb::NO_CONVERGENCE_FAIL &&
                        permits(downtime_of(end.dirty_bytes));
  return switches ? PrecopyDecision::kSwitchForced : PrecopyDecision::kFail;
}

void PrecopyPolicy::measure(const RoundEnd& end) {
  const std::uint64_t measured = rate_of(end.bytes_sent, end.duration);
  const bool is_telling = end.bytes_sent >= kTellingRoundBytes || link_bytes_per_second_ == 0;
  if (is_telling) link_bytes_per_second_ = measured;
  const std::uint64_t limit = settings_.bandwidth_bytes_per_second;
  if (limit > 0) {
    link_bytes_per_second_ =
        link_bytes_per_second_ == 0 ? limit : std::min(link_bytes_per_second_, limit);
  }
  if (rounds_ == 0) {
    guest_ = {rate_of(end.dirty_bytes, end.duration), end.dirty_bytes};
  } else if (is_telling) {
    guest_ = fit({last_.duration, rounds_ == 1, last_.dirty_bytes, end.duration, end.bytes_sent,
                  end.dirty_bytes},
                 reading_, memory_bytes_, guest_);
  }
  ++rounds_;
  elapsed_ = add(elapsed_, end.duration);
  bytes_sent_ += std::min(end.bytes_sent, ~bytes_sent_);
  last_ = end;
}

Standing PrecopyPolicy::standing() const {
  Standing now;
  now.guest = guest_;
  now.reading = reading_;
  now.link_bytes_per_second = link_bytes_per_second_;
  now.last_round = last_.duration;
  now.downtime_limit = settings_.downtime_limit;
  now.fixed_downtime = expected_fixed_downtime(settings_.downtime_limit);
  now.rounds_left = settings_.max_rounds - std::min(rounds_, settings_.max_rounds);
  if (settings_.timeout > 0)
    now.time_left = settings_.timeout - std::min(elapsed_, settings_.timeout);
  if (settings_.max_bytes > 0) {
    now.bytes_left = settings_.max_bytes - std::min(bytes_sent_, settings_.max_bytes);
  }
  return now;
}

Duration PrecopyPolicy::downtime_of(std::uint64_t dirty_bytes) const {
  return add(time_to_send(dirty_bytes, link_bytes_per_second_),
             expected_fixed_downtime(settings_.downtime_limit));
}

bool PrecopyPolicy::permits(Duration downtime) const {
  return settings_.max_downtime == 0 || downtime <= settings_.max_downtime;
}

bool PrecopyPolicy::is_used_up() const {
  return rounds_ >= settings_.max_rounds ||
         (settings_.max_bytes > 0 && bytes_sent_ >= settings_.max_bytes);
}

void keep_estimates(const PrecopyPolicy& policy, pb::MigrationStatistics& statistics) {
  statistics.set_sent_bytes_per_second(policy.link_bytes_per_second());
  statistics.set_dirty_bytes_per_second(policy.guest().bytes_per_second);
  statistics.set_working_set_bytes(policy.guest().working_set_bytes);
  statistics.set_not_converging(policy.not_converging());
}

std::string not_converging_message(const std::string& vm, const std::string& source,
                                   const std::string& target, const PrecopyPolicy& policy) {
  return "The migration of VM '" + vm + "' from " + source + " to " + target +
         " was given up because it does not converge: " + policy.not_converging() + ".";
}

}  // namespace failsim
