// What came of a campaign, and the same as JSON: of one shard, or of several merged.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/time.h"
#include "tools/explore/coverage.h"
#include "tools/scenario/outcome.h"

namespace failsim::explore {

struct Failure {
  std::optional<std::uint64_t> seed;  // none: a scenario of the corpus
  std::string name;                   // of the scenario
  scenario::Verdict verdict = scenario::Verdict::kPass;
  std::string label;  // of the first violation; replay: two runs differ
  std::string text;
  Time at = 0;
  std::string saved;             // the folder of the smallest scenario; empty: not minimised
  std::size_t steps = 0;         // of it, with its reactions
  std::uint32_t minimising = 0;  // runs
  std::string replay;            // a command line
};

inline constexpr std::uint64_t kShardsMost = 100'000;

// What all parts of one campaign have in common.
struct Identity {
  std::uint64_t first_seed = 1;
  std::optional<std::uint64_t> seeds;  // as asked for; none: until the budget is spent
  std::optional<Duration> budget;
  std::string plant;         // a mistake made on purpose
  std::uint64_t shards = 1;  // the number of parts, up to kShardsMost
  bool operator==(const Identity&) const = default;
};

struct Report {
  Identity campaign;
  std::set<std::uint64_t> parts;  // which of the shards are in it, from 1 on
  bool is_merged = false;         // is to hold all parts
  std::uint64_t seeds = 0;        // run
  std::uint64_t corpus = 0;
  std::uint64_t twice = 0;  // of those, run twice
  Duration virtual_time = 0;
  Duration wall_time = 0;  // the longest shard's
  std::vector<Failure> failures;
  Counts coverage;
  Counts evaluations;
};

// The worst of the failures; without one, inconclusive for a merged report in which a part is
// missing.
scenario::Verdict verdict(const Report& report);
// The shards that a merged report lacks; none of a report that is not merged.
std::vector<std::uint64_t> missing_parts(const Report& report);
// With the coverage required: inconclusive when something is missing and nothing failed.
int exit_status(const Report& report, bool requires_coverage);

// Adds a part; an empty report takes the campaign of the first. `source` names the part in the
// error: kInvalidData for a part of another campaign, kAlreadyExists for one that is in it already.
std::optional<Error> merge(Report& into, const Report& more, const std::string& source);
std::string to_json(const Report& report);
// kInvalidData with a sentence that names `source`.
Result<Report> report_from_json(const std::string& text, const std::string& source);

// The line that says how small a failure was made, if it was.
void print_smallest(const Failure& failure, std::ostream& err);
// Failures first, then the totals, then the tables of what happened.
void print(const Report& report, bool requires_coverage, std::ostream& out, std::ostream& err);

}  // namespace failsim::explore
