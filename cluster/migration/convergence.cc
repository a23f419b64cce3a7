#include "cluster/migration/convergence.h"

#include <algorithm>
#include <vector>

#include "cluster/migration/transfer_rate.h"
#include "cluster/units.h"
#include "cluster/wide.h"

namespace failsim {
namespace {

constexpr std::uint32_t kFarthestRound = 300;
constexpr std::uint32_t kRoundsToLevelOff = 2;
constexpr std::uint64_t kLargestFactor = 1024;  // of a link
constexpr std::uint64_t kFactorSteps = 16;      // finer than that nobody measures
constexpr std::uint32_t kWhole = 100;           // percent

// The smallest `value` of those between `low`, which does not do, and `high`, which does.
template <typename Does>
std::uint64_t least_that(std::uint64_t low, std::uint64_t high, Does&& does) {
  while (high - low > low / kFactorSteps + 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (does(middle) ? high : low) = middle;
  }
  return high;
}

std::uint64_t tenth_more(std::uint64_t value) {
  return value + value / 10;
}

std::string or_list(const std::vector<std::string>& items) {
  std::string list;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) list += i + 1 == items.size() ? " or " : ", ";
    list += items[i];
  }
  return list;
}

std::string in_ms(Duration duration) {
  return show_duration_ms(static_cast<std::uint64_t>(duration / kMillisecond));
}

}  // namespace

Outlook look_ahead(const Standing& standing) {
  Outlook outlook;
  PrecopyCourse course = standing.course;
  const std::uint64_t link = course.link_bytes_per_second();
  if (link == 0) {
    outlook.converges = true;
    return outlook;
  }
  const auto downtime = [&](std::uint64_t dirty) {
    return add(time_to_send(dirty, link), standing.fixed_downtime);
  };
  outlook.least_dirty = course.dirty_bytes();
  std::uint32_t level = 0;
  const std::uint32_t most = std::min(standing.rounds_left, kFarthestRound);
  while (outlook.rounds < most && !outlook.converges && !outlook.levels_off) {
    const CourseRound round = course.next_round();
    const Duration time = add(outlook.time, round.duration);
    const std::uint64_t bytes =
        outlook.sent_bytes + std::min(round.sent_bytes, ~outlook.sent_bytes);
    if (time > standing.time_left || bytes > standing.bytes_left) break;
    outlook.time = time;
    outlook.sent_bytes = bytes;
    ++outlook.rounds;
    const std::uint64_t needed = outlook.least_dirty - outlook.least_dirty / 256;
    level = round.dirty_bytes < needed ? 0 : level + 1;
    // What a sweep leaves behind goes up and down with the place where it is.
    outlook.levels_off = level >= (course.guest().is_sweep() ? kFarthestRound : kRoundsToLevelOff);
    outlook.least_dirty = std::min(outlook.least_dirty, round.dirty_bytes);
    outlook.converges = downtime(round.dirty_bytes) <= standing.downtime_limit;
  }
  outlook.least_downtime = downtime(outlook.least_dirty);
  return outlook;
}

Standing throttled(const Standing& standing, std::uint32_t percent) {
  Standing other = standing;
  other.throttle_percent = percent;
  other.course.set_throttle_percent(percent);
  return other;
}

std::optional<std::uint32_t> least_throttle(const Standing& standing, const ThrottleSteps& steps) {
  const auto converges = [&](std::uint32_t percent) {
    return look_ahead(throttled(standing, percent)).converges;
  };
  if (standing.throttle_percent >= steps.most_percent) return std::nullopt;
  std::vector<std::uint32_t> allowed;
  for (std::uint32_t percent = steps.first_percent; percent < steps.most_percent;
       percent += std::max<std::uint32_t>(1, steps.step_percent)) {
    if (percent > standing.throttle_percent) allowed.push_back(percent);
  }
  allowed.push_back(steps.most_percent);
  const auto least = std::partition_point(
      allowed.begin(), allowed.end(), [&](std::uint32_t percent) { return !converges(percent); });
  if (least == allowed.end()) return std::nullopt;
  return *least;
}

Remedies remedies(const Standing& standing) {
  Remedies found;
  const Outlook outlook = look_ahead(standing);
  if (outlook.least_downtime < kNever / 2) {
    const auto rounded_up = (outlook.least_downtime * 11 / 10 + 10 * kMillisecond - 1) /
                            (10 * kMillisecond) * (10 * kMillisecond);
    found.downtime_limit = rounded_up;
  }
  const auto with_link = [&](std::uint64_t rate) {
    Standing other = standing;
    other.course.set_link(rate);
    return look_ahead(other).converges;
  };
  const std::uint64_t link = standing.course.link_bytes_per_second();
  if (link < ~std::uint64_t{0} / kLargestFactor && with_link(link * kLargestFactor)) {
    found.link_bytes_per_second = tenth_more(least_that(link, link * kLargestFactor, with_link));
  }
  // The guest from now on: what it has dirtied until now stays dirty, but rounds pass.
  if (const auto least = least_throttle(standing, {1, 1, kWhole - 1})) {
    const std::uint32_t left = kWhole - *least;
    found.throttle_percent = kWhole - std::max<std::uint32_t>(1, left - left / 10);
    found.dirty_bytes_per_second =
        throttled(standing, *found.throttle_percent).course.guest().in_numbers().bytes_per_second;
  }
  Standing longer = standing;
  longer.rounds_left = kFarthestRound;
  const Outlook later = look_ahead(longer);
  if (later.converges && !outlook.converges && outlook.rounds == standing.rounds_left) {
    found.rounds = later.rounds - outlook.rounds;
  }
  return found;
}

std::string not_converging_sentence(const Standing& standing) {
  const Outlook outlook = look_ahead(standing);
  const Remedies would_do = remedies(standing);
  std::vector<std::string> ways;
  if (would_do.downtime_limit) {
    ways.push_back("a downtime limit of " + in_ms(*would_do.downtime_limit));
  }
  if (would_do.link_bytes_per_second) {
    ways.push_back("a bandwidth of " + show_rate(*would_do.link_bytes_per_second));
  }
  if (would_do.throttle_percent) {
    ways.push_back("a guest throttled by " + std::to_string(*would_do.throttle_percent) + " % to " +
                   show_rate(would_do.dirty_bytes_per_second));
  }
  if (would_do.rounds) ways.push_back(std::to_string(*would_do.rounds) + " more rounds");
  const DirtyModel guest = standing.course.guest().in_numbers();
  const std::string slowed =
      standing.throttle_percent == 0
          ? ""
          : ", throttled by " + std::to_string(standing.throttle_percent) + " %,";
  std::string text = "the guest" + slowed + " dirties " + show_rate(guest.bytes_per_second) +
                     " in a working set of " + show_size(guest.working_set_bytes) +
                     " and the link carries " + show_rate(standing.course.link_bytes_per_second()) +
                     ", so at best " + show_size(outlook.least_dirty) + " stay dirty" +
                     (outlook.levels_off ? "" : " within its limits") + ", which is " +
                     in_ms(outlook.least_downtime) + " of downtime where " +
                     in_ms(standing.downtime_limit) + " are allowed";
  if (!ways.empty()) text += "; what would do is " + or_list(ways);
  return text;
}

Result<ThrottleSteps> parse_throttle(std::string_view text) {
  ThrottleSteps steps;
  std::string_view rest = text;
  for (std::uint32_t* percent : {&steps.first_percent, &steps.step_percent, &steps.most_percent}) {
    const std::string_view part = rest.substr(0, rest.find(','));
    const bool has_sign = part.ends_with('%');
    const auto number =
        parse_count(part.substr(0, part.size() - (has_sign ? 1 : 0)), 1, kMostThrottlePercent);
    if (!number) break;
    *percent = static_cast<std::uint32_t>(number.value());
    if (part.size() == rest.size()) return steps;
    rest.remove_prefix(part.size() + 1);
  }
  return Error{Code::kInvalidParameter, "\"" + shortened(text) + "\" is no throttle.",
               "Give FIRST,STEP,MOST in percent of the guest's time, for example 20,10,99."};
}

}  // namespace failsim
