#include "tools/matrix/matrix.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "tools/matrix/rules.h"

namespace failsim::matrix {
namespace {

bool names_leader(const Disturbance& disturbance) {
  const auto names = [](const std::string& text) {
    return text.find("leader") != std::string::npos || text.find("LEADER") != std::string::npos;
  };
  return names(disturbance.name);
}

// Where the leader is one of the sides, what happens to it is what happens to that side.
bool fits(const Disturbance& disturbance, const Moment& moment, Placement placement) {
  if (placement != Placement::kApart && names_leader(disturbance)) return false;
  if (disturbance.term.empty()) return true;
  if (moment.later > 0) return false;
  const auto terms = fault::parse_terms(disturbance.term);
  return terms.ok() && !fault::terms_refused(moment.point, terms.value());
}

// Of a migration that goes another way only what belongs to that way is new.
bool belongs_to(Course course, const Moment& moment) {
  const Phase phase = phase_of(moment, course == Course::kPostCopies);
  switch (course) {
    case Course::kCompletes:
      return true;
    case Course::kPostCopies:
      return phase >= Phase::kBlackout && phase <= Phase::kFollowing;
    case Course::kIsCanceled:
      return phase == Phase::kCanceling;
    case Course::kFails:
      return phase == Phase::kFailing;
  }
  return false;
}

}  // namespace

std::vector<Case> cases(Course course, Placement placement) {
  std::vector<Case> all;
  for (const Moment& moment : moments_of(passed_by(course, placement))) {
    if (!belongs_to(course, moment)) continue;
    for (const Disturbance& disturbance : disturbances()) {
      if (fits(disturbance, moment, placement)) {
        all.push_back({course, placement, moment, &disturbance});
      }
    }
  }
  return all;
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (std::size_t course = 0; course < kCourses; ++course) {
    for (std::size_t placement = 0; placement < kPlacements; ++placement) {
      const auto more = cases(static_cast<Course>(course), static_cast<Placement>(placement));
      all.insert(all.end(), more.begin(), more.end());
    }
  }
  return all;
}

std::vector<Judged> judge_cases(const std::vector<Case>& all, unsigned threads) {
  std::vector<Judged> judged(all.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < all.size(); i = next++) judged[i] = judge_case(all[i]);
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  return judged;
}

Judged judge_case(const Case& one) {
  Judged judged{one, run_case(one), allowed_ends(one), ""};
  const CaseResult& result = judged.result;
  if (!result.violations.empty()) {
    judged.wrong = result.violations.front().label + ": " + result.violations.front().text;
  } else if (!result.was_struck) {
    judged.wrong = "the moment did not come, or what happens there was refused";
  } else if (!judged.allowed.contains(result.end)) {
    judged.wrong = "it ended as " + std::string(name(result.end)) + ", documented is " +
                   to_text(judged.allowed);
  } else if (one.disturbance->ask != Ask::kNothing &&
             !is_allowed_answer(one, result.answer, result.end)) {
    judged.wrong = "the answer was " +
                   (result.answer ? std::to_string(*result.answer) : std::string("none")) +
                   ", and it ended as " + std::string(name(result.end));
  }
  return judged;
}

}  // namespace failsim::matrix
