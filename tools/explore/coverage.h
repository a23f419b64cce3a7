// What has to happen sometimes: a campaign in which it never did has shown nothing about it.
//
// The counts come from the runs (scenario::Outcome::coverage and evaluations); here is declared
// what is expected among them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace failsim::explore {

using Counts = std::map<std::string, std::uint64_t>;

struct Sometimes {
  std::string_view subject;
  std::string_view key;   // of Outcome::coverage
  std::string_view what;  // a sentence without its full stop
};

// Sorted by subject, as the table is printed; every kind of fault is among them.
const std::vector<Sometimes>& sometimes();
// The named points that have to be passed: all transitions on all sides, the blackout, the change
// of owner, and of the rounds the first two. Few migrations have more.
const std::vector<std::string>& points_to_pass();
// The key of a point in Outcome::coverage.
std::string point_key(std::string_view point);
// The labels of the rules that the judge knows: the virtual world can put each of them to the test,
// so each has to be evaluated.
const std::vector<std::string_view>& invariant_labels();

struct Gaps {
  std::vector<std::string> never_happened;   // keys
  std::vector<std::string> never_evaluated;  // labels
  bool empty() const { return never_happened.empty() && never_evaluated.empty(); }
};
Gaps gaps(const Counts& coverage, const Counts& evaluations);

void add(Counts& to, const Counts& more);

}  // namespace failsim::explore
