#include "cluster/migration/precopy_policy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cluster/migration/precopy.h"
#include "cluster/migration/transfer_rate.h"
#include "cluster/wide.h"

namespace failsim {
namespace {

constexpr Duration kFixedDowntime = 20 * kMillisecond;
constexpr std::uint32_t kRoundsToBeSure = 2;
constexpr std::size_t kRoundsRecorded = 64;
constexpr std::uint64_t kDeviceBytesPerPage = 2;  // its write count, as it is packed

constexpr std::array<std::string_view, 5> kDecisionNames = {"continue", "switch", "forced switch",
                                                            "fail", "post-copy"};

std::uint32_t percent_or(std::uint32_t percent, std::uint32_t usual) {
  return percent == 0 ? usual : std::min(percent, kMostThrottlePercent);
}

// What was foreseen of a round's end is near enough to what was measured.
bool agree(std::uint64_t foreseen, std::uint64_t measured) {
  const std::uint64_t apart = foreseen > measured ? foreseen - measured : measured - foreseen;
  return apart <= std::max(measured / 4, kTellingRoundBytes);
}

}  // namespace

std::string_view name(PrecopyDecision decision) {
  return kDecisionNames[static_cast<std::size_t>(decision)];
}

std::optional<pb::OnNoConvergence> on_no_convergence_of(std::string_view word) {
  const auto found = std::find(kOnNoConvergenceWords.begin(), kOnNoConvergenceWords.end(), word);
  if (found == kOnNoConvergenceWords.end()) return std::nullopt;
  return static_cast<pb::OnNoConvergence>(found - kOnNoConvergenceWords.begin());
}

PrecopySettings settings_of(const pb::MigrationParameters& parameters) {
  PrecopySettings settings;
  settings.bandwidth_bytes_per_second = parameters.bandwidth_bytes_per_second();
  if (parameters.downtime_limit_ns() > 0) settings.downtime_limit = parameters.downtime_limit_ns();
  settings.max_downtime = parameters.max_downtime_ns();
  if (parameters.max_rounds() > 0) settings.max_rounds = parameters.max_rounds();
  settings.timeout = parameters.timeout_ns();
  settings.max_bytes = parameters.max_bytes();
  settings.on_no_convergence = parameters.on_no_convergence();
  ThrottleSteps& steps = settings.throttle;
  steps.first_percent = percent_or(parameters.throttle_first_percent(), steps.first_percent);
  steps.step_percent = percent_or(parameters.throttle_step_percent(), steps.step_percent);
  steps.most_percent = percent_or(parameters.throttle_most_percent(), steps.most_percent);
  return settings;
}

Duration expected_fixed_downtime(Duration downtime_limit) {
  return std::min(kFixedDowntime, downtime_limit / 4);
}

Duration expected_postcopy_downtime(const PrecopySettings& settings, std::uint64_t memory_bytes,
                                    std::uint64_t link_bytes_per_second) {
  const std::uint64_t device_bytes = memory_bytes / kPageBytes * kDeviceBytesPerPage;
  return add(expected_fixed_downtime(settings.downtime_limit),
             time_to_send(device_bytes, link_bytes_per_second));
}

PrecopyPolicy::PrecopyPolicy(const PrecopySettings& settings, std::uint64_t memory_bytes,
                             PrecopyKnowledge knowledge)
    : settings_(settings),
      memory_bytes_(memory_bytes),
      watched_(std::move(knowledge.guest)),
      expected_(knowledge.expected) {}

PrecopyDecision PrecopyPolicy::round_ended(const RoundEnd& end) {
  const std::uint32_t throttled_by = throttle_percent_;
  measure(end);
  const PrecopyDecision decision = decide(end);
  expect(end, decision);
  keep_record(end, decision, throttled_by);
  return decision;
}

PrecopyDecision PrecopyPolicy::decide(const RoundEnd& end) {
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
      return switch_if_permitted(end, outlook);
    case pb::NO_CONVERGENCE_THROTTLE:
      return throttle(end, outlook);
    case pb::NO_CONVERGENCE_POST_COPY:
      return PrecopyDecision::kPostCopy;
    default:
      return PrecopyDecision::kContinue;
  }
}

PrecopyDecision PrecopyPolicy::switch_if_permitted(const RoundEnd& end, const Outlook& outlook) {
  if (permits(downtime_of(end.dirty_bytes))) return PrecopyDecision::kSwitchForced;
  return permits(outlook.least_downtime) ? PrecopyDecision::kContinue : PrecopyDecision::kFail;
}

// The smallest step that will do. Where not even the largest will, it is used only if that brings
// the downtime below its maximum.
PrecopyDecision PrecopyPolicy::throttle(const RoundEnd& end, const Outlook& outlook) {
  const Standing now = standing();
  if (const auto percent = least_throttle(now, settings_.throttle)) {
    set_throttle(*percent);
    return PrecopyDecision::kContinue;
  }
  const std::uint32_t most = settings_.throttle.most_percent;
  not_converging_ = not_converging_sentence(now) + "; a guest throttled by " +
                    std::to_string(most) + " %, the most that is allowed, would not do";
  const PrecopyDecision decision = switch_if_permitted(end, outlook);
  if (decision != PrecopyDecision::kFail || throttle_percent_ >= most) return decision;
  if (!permits(look_ahead(throttled(now, most)).least_downtime)) return decision;
  set_throttle(most);
  return PrecopyDecision::kContinue;
}

void PrecopyPolicy::set_throttle(std::uint32_t percent) {
  throttle_percent_ = percent;
  was_just_throttled_ = true;
  rounds_against_ = 0;
  if (course_) course_->set_throttle_percent(percent);
}

PrecopyDecision PrecopyPolicy::give_in(const RoundEnd& end) {
  if (not_converging_.empty()) not_converging_ = not_converging_sentence(standing());
  if (settings_.on_no_convergence == pb::NO_CONVERGENCE_POST_COPY) {
    return PrecopyDecision::kPostCopy;
  }
  const bool switches = settings_.on_no_convergence != pb::NO_CONVERGENCE_FAIL &&
                        permits(downtime_of(end.dirty_bytes));
  return switches ? PrecopyDecision::kSwitchForced : PrecopyDecision::kFail;
}

void PrecopyPolicy::measure(const RoundEnd& end) {
  measure_link(end);
  follow_course(end);
  const bool is_telling = end.bytes_sent >= kTellingRoundBytes;
  if (rounds_ == 0) {
    fitted_ = {rate_of(end.dirty_bytes, end.duration), end.dirty_bytes};
  } else if (is_telling && !was_just_throttled_) {
    const DirtyMeasurement measured{last_.duration, rounds_ == 1, end.duration, end.bytes_sent,
                                    end.dirty_bytes};
    fitted_ = fit(measured, memory_bytes_, fitted_);
    fitted_.bytes_per_second =
        saturate(Wide{fitted_.bytes_per_second} * 100 / (100 - throttle_percent_));
  }
  was_just_throttled_ = false;
  ++rounds_;
  elapsed_ = add(elapsed_, end.duration);
  bytes_sent_ += std::min(end.bytes_sent, ~bytes_sent_);
  last_ = end;
}

void PrecopyPolicy::measure_link(const RoundEnd& end) {
  const bool is_telling = end.bytes_sent >= kTellingRoundBytes || link_bytes_per_second_ == 0;
  if (is_telling) link_bytes_per_second_ = rate_of(end.bytes_sent, end.duration);
  const std::uint64_t limit = settings_.bandwidth_bytes_per_second;
  if (limit > 0) {
    link_bytes_per_second_ =
        link_bytes_per_second_ == 0 ? limit : std::min(link_bytes_per_second_, limit);
  }
}

// A guest that does something else than it was seen to do is reckoned with as the rounds show it.
void PrecopyPolicy::follow_course(const RoundEnd& end) {
  if (!watched_) return;
  if (rounds_ == 0) course_.emplace(*watched_, end.bytes_sent, link_bytes_per_second_);
  const CourseRound foreseen = course_->follow(end.duration, link_bytes_per_second_);
  course_->set_link(link_bytes_per_second_);
  const bool agrees = agree(foreseen.dirty_bytes, end.dirty_bytes);
  rounds_against_watch_ = agrees ? 0 : rounds_against_watch_ + 1;
  if (rounds_against_watch_ < kRoundsToBeSure) return;
  watched_.reset();
  course_.reset();
}

DirtyModel PrecopyPolicy::guest() const {
  return watched_ ? watched_->in_numbers() : fitted_;
}

Standing PrecopyPolicy::standing() const {
  Standing now;
  if (course_) {
    now.course = *course_;
  } else {
    now.course = PrecopyCourse::behind(DirtyHabit::even(fitted_), throttle_percent_,
                                       link_bytes_per_second_, last_.duration);
  }
  now.throttle_percent = throttle_percent_;
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

// Of one that will not converge as far as can be seen: when its rounds are used up.
void PrecopyPolicy::expect(const RoundEnd& end, PrecopyDecision decision) {
  expected_ = {};
  Duration rest = 0;
  switch (decision) {
    case PrecopyDecision::kFail:
      return;
    case PrecopyDecision::kPostCopy:
      expected_.downtime =
          expected_postcopy_downtime(settings_, memory_bytes_, link_bytes_per_second_);
      rest = time_to_send(end.dirty_bytes, link_bytes_per_second_);
      break;
    case PrecopyDecision::kSwitch:
    case PrecopyDecision::kSwitchForced:
      expected_.downtime = downtime_of(end.dirty_bytes);
      break;
    case PrecopyDecision::kContinue: {
      const Standing now = standing();
      const Outlook outlook = look_ahead(now);
      expected_.downtime = outlook.least_downtime;
      rest = outlook.time;
      if (outlook.levels_off) {
        const auto more = static_cast<Duration>(now.rounds_left - outlook.rounds);
        const Duration round = outlook.time / static_cast<Duration>(outlook.rounds);
        rest = add(rest, round > 0 && more > kNever / round ? kNever : round * more);
      }
      break;
    }
  }
  expected_.total = add(add(elapsed_, rest), expected_.downtime);
  // Nothing is known of a link that has carried nothing yet.
  if (expected_.downtime >= kNever || expected_.total >= kNever) expected_ = {};
}

void PrecopyPolicy::keep_record(const RoundEnd& end, PrecopyDecision decision,
                                std::uint32_t throttled_by) {
  pb::MigrationRound& round = record_.emplace_back();
  round.set_number(rounds_ - 1);
  round.set_sent_bytes(end.bytes_sent);
  round.set_duration_ns(end.duration);
  round.set_dirty_bytes(end.dirty_bytes);
  round.set_sent_bytes_per_second(link_bytes_per_second_);
  round.set_dirty_bytes_per_second(guest().bytes_per_second);
  round.set_throttle_percent(throttled_by);
  round.set_decision(static_cast<std::uint32_t>(decision));
  if (record_.size() > kRoundsRecorded) record_.pop_front();
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
  statistics.set_throttle_percent(policy.throttle_percent());
  statistics.set_expected_total_ns(policy.expected().total);
  statistics.set_expected_downtime_ns(policy.expected().downtime);
}

std::string not_converging_message(const std::string& vm, const std::string& source,
                                   const std::string& target, const PrecopyPolicy& policy) {
  return "The migration of VM '" + vm + "' from " + source + " to " + target +
         " was given up because it does not converge: " + policy.not_converging() + ".";
}

}  // namespace failsim
