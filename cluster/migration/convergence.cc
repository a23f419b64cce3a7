#include "cluster/migration/convergence.h"

#include <algorithm>
#include <vector>

#include "cluster/migration/precopy_course.h"
#include "cluster/migration/transfer_rate.h"
#include "cluster/units.h"
#include "cluster/wide.h"

namespace failsim {
namespace {

constexpr std::uint32_t kFarthestRound = 300;
constexpr std::uint32_t kRoundsToLevelOff = 2;
constexpr std::uint64_t kLargestFactor = 1024;  // of a link, and against the guest
constexpr std::uint64_t kFactorSteps = 16;      // finer than that nobody measures

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
  if (standing.link_bytes_per_second == 0) {
    outlook.converges = true;
    return outlook;
  }
  PrecopyCourse course(standing.guest, standing.reading, standing.link_bytes_per_second);
  course.begin_behind(standing.last_round);
  const auto downtime = [&](std::uint64_t dirty) {
    return add(time_to_send(dirty, standing.link_bytes_per_second), standing.fixed_downtime);
  };
  outlook.least_dirty = course.dirty_bytes();
  Duration time = 0;
  std::uint64_t bytes = 0;
  std::uint32_t level = 0;
  const std::uint32_t most = std::min(standing.rounds_left, kFarthestRound);
  while (outlook.rounds < most && !outlook.converges && !outlook.levels_off) {
    const CourseRound round = course.next_round();
    time = add(time, round.duration);
    bytes += std::min(round.sent_bytes, ~bytes);
    if (time > standing.time_left || bytes > standing.bytes_left) break;
    ++outlook.rounds;
    const std::uint64_t needed = outlook.least_dirty - outlook.least_dirty / 256;
    level = round.dirty_bytes < needed ? 0 : level + 1;
    outlook.levels_off = level >= kRoundsToLevelOff;
    outlook.least_dirty = std::min(outlook.least_dirty, round.dirty_bytes);
    outlook.converges = downtime(round.dirty_bytes) <= standing.downtime_limit;
  }
  outlook.least_downtime = downtime(outlook.least_dirty);
  return outlook;
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
    other.link_bytes_per_second = rate;
    return look_ahead(other).converges;
  };
  const std::uint64_t link = standing.link_bytes_per_second;
  if (link < ~std::uint64_t{0} / kLargestFactor && with_link(link * kLargestFactor)) {
    found.link_bytes_per_second = tenth_more(least_that(link, link * kLargestFactor, with_link));
  }
  // The guest from now on: what it has dirtied until now stays dirty, but rounds pass.
  const std::uint64_t rate = standing.guest.bytes_per_second;
  const auto with_guest = [&](std::uint64_t factor) {
    Standing other = standing;
    other.guest.bytes_per_second = saturate(Wide{rate} * kFactorSteps / factor);
    return look_ahead(other).converges;
  };
  const std::uint64_t most_factor = kFactorSteps * kLargestFactor;
  if (with_guest(most_factor)) {
    const std::uint64_t factor = tenth_more(least_that(kFactorSteps, most_factor, with_guest));
    found.dirty_bytes_per_second = saturate(Wide{rate} * kFactorSteps / factor);
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
  if (would_do.dirty_bytes_per_second) {
    ways.push_back("a guest slowed down to " + show_rate(*would_do.dirty_bytes_per_second));
  }
  if (would_do.rounds) ways.push_back(std::to_string(*would_do.rounds) + " more rounds");
  std::string text = "the guest dirties " + show_rate(standing.guest.bytes_per_second) +
                     " in a working set of " + show_size(standing.guest.working_set_bytes) +
                     " and the link carries " + show_rate(standing.link_bytes_per_second) +
                     ", so at best " + show_size(outlook.least_dirty) + " stay dirty" +
                     (outlook.levels_off ? "" : " within its limits") + ", which is " +
                     in_ms(outlook.least_downtime) + " of downtime where " +
                     in_ms(standing.downtime_limit) + " are allowed";
  if (!ways.empty()) text += "; what would do is " + or_list(ways);
  return text;
}

}  // namespace failsim
