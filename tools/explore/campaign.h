// Runs many seeds on several threads, the corpus first, and collects what came of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tools/explore/minimise.h"
#include "tools/explore/report.h"
#include "tools/scenario/outcome.h"
#include "tools/scenario/scenario.h"

namespace failsim::explore {

using Wall = std::chrono::steady_clock;

struct CampaignOptions {
  std::uint64_t first_seed = 1;
  std::optional<std::uint64_t> seeds;              // none: until the budget is spent
  std::optional<std::chrono::nanoseconds> budget;  // of wall time, for finding; none: no limit
  std::uint32_t jobs = 2;
  bool stops_at_first = false;  // failure
  std::uint64_t shard = 1;      // this one of `shards`: every shards-th seed
  std::uint64_t shards = 1;
  std::uint64_t twice_every = 32;  // so many seeds, one is run twice
  // What each failure's label is minimised with, once.
  std::uint32_t minimise_runs = 3000;
  std::chrono::nanoseconds minimise_budget = std::chrono::seconds(120);
  // A single run that takes longer than this hangs: the process ends with 124.
  std::chrono::nanoseconds patience = std::chrono::seconds(120);
};

// How the campaign gets and runs its scenarios; called from several threads at once.
struct Worlds {
  std::function<scenario::Scenario(std::uint64_t seed)> draw;
  // `trace` gets a line for each fact; may be null.
  std::function<scenario::Outcome(const scenario::Scenario&, std::ostream* trace)> run;
  // A short command line that shows it again.
  std::function<std::string(std::uint64_t seed)> replay;
  // Saves a minimised scenario, returns its folder; may be empty.
  std::function<std::string(const Minimised&, const Failure&)> save;
};

// What is judged in a run: the first violation that is not merely "could not be injected" or "never
// triggered"; for those a drawn scenario is not to blame. Null if there is none.
const invariants::Violation* judged(const scenario::Outcome& outcome);

Report run_campaign(const CampaignOptions& options, const std::vector<scenario::Scenario>& corpus,
                    const Worlds& worlds, std::ostream& err);

// Runs twice with traces and shows both around the first line that differs; false if none does.
bool show_divergence(const scenario::Scenario& scenario, const Worlds& worlds, std::ostream& out);

}  // namespace failsim::explore
