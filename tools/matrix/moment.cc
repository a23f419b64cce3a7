#include "tools/matrix/moment.h"

#include <algorithm>
#include <array>
#include <optional>

#include "cluster/fault/value.h"

namespace failsim::matrix {
namespace {

constexpr std::array<std::string_view, kPhases> kNames = {
    "requested",  "Setup", "rounds",       "converged", "Move ordered", "blackout",  "held",
    "completing", "owned", "pages follow", "resumed",   "finished",     "canceling", "failing"};

const std::string& point_name(const Moment& moment) {
  return fault::point_names()[moment.point];
}

// The word between the dots of SIDE.TRANSITION.STAGE.
std::string transition_of(const std::string& point) {
  const std::size_t first = point.find('.');
  const std::size_t second = point.find('.', first + 1);
  if (second == std::string::npos) return "";
  return point.substr(first + 1, second - first - 1);
}

std::optional<Time> time_of(const std::vector<Passed>& passed, const std::string& point) {
  for (const Passed& one : passed) {
    if (point_name(one.moment) == point) return one.at;
  }
  return std::nullopt;
}

// Times between two points, in so many equal parts.
void add_between(const std::vector<Passed>& passed, const std::string& from, const std::string& to,
                 int parts, std::vector<Moment>& moments) {
  const std::optional<Time> begin = time_of(passed, from);
  const std::optional<Time> end = time_of(passed, to);
  if (!begin || !end || *end <= *begin) return;
  for (int part = 1; part < parts; ++part) {
    const Duration later = (*end - *begin) * part / parts / kMicrosecond * kMicrosecond;
    moments.push_back({*fault::find_point(from), 1, later});
  }
}

}  // namespace

std::string_view name(Phase phase) {
  return kNames[static_cast<std::size_t>(phase)];
}

std::string name(const Moment& moment) {
  std::string text = point_name(moment);
  if (moment.nth > 1) text += "#" + std::to_string(moment.nth);
  if (moment.later > 0) text += "+" + fault::exact_duration(moment.later);
  return text;
}

Phase phase_of(const Moment& moment, bool post_copy) {
  const std::string& point = point_name(moment);
  const std::string transition = transition_of(point);
  if (point.starts_with("round.")) return Phase::kRounds;
  if (point == "prepared" || transition == "transfer") return Phase::kSetup;
  if (transition == "setup") return moment.later > 0 ? Phase::kSetup : Phase::kRequested;
  if (point == "converged") return Phase::kConverged;
  if (transition == "move") return Phase::kMoveOrdered;
  if (point == "blackout.begin" || point == "blackout.released") return Phase::kBlackout;
  if (point == "blackout.held") return Phase::kHeld;
  if (transition == "complete") return Phase::kCompleting;
  if (point == "owner.flip") return Phase::kOwned;
  if (transition == "pages" || point == "arrived") return Phase::kFollowing;
  if (point == "blackout.end" && post_copy) return Phase::kFollowing;
  if (point == "blackout.end" || transition == "finish") return Phase::kResumed;
  if (transition == "cancel") return Phase::kCanceling;
  if (transition == "fail") return Phase::kFailing;
  return Phase::kFinished;  // verified
}

std::vector<Moment> moments_of(const std::vector<Passed>& passed) {
  std::vector<Moment> moments;
  for (const Passed& one : passed) {
    if (one.moment.nth == 1) moments.push_back(one.moment);
  }
  add_between(passed, "target.setup.after-persist", "prepared", 2, moments);
  for (std::uint32_t round = 1; round <= fault::kNamedRounds; ++round) {
    const std::string of = "round." + std::to_string(round);
    add_between(passed, of + ".begin", of + ".end", 2, moments);
  }
  add_between(passed, "blackout.begin", "blackout.released", 4, moments);
  add_between(passed, "owner.flip", "blackout.end", 2, moments);
  add_between(passed, "blackout.end", "arrived", 4, moments);
  return moments;
}

}  // namespace failsim::matrix
