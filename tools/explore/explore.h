// `failsim explore`: the search from the command line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "tools/explore/campaign.h"

namespace failsim::explore {

struct ExploreOptions {
  CampaignOptions campaign;
  std::optional<std::uint64_t> seed;  // only this one, twice
  // With `seed`: a new folder for the scenario it draws, without the faults that hit nothing; its
  // events are pinned if it passes.
  std::string write;
  std::string corpus;  // a folder; empty: none
  std::string keep;    // where small scenarios are saved; empty: nowhere
  std::string plant;   // a mistake made on purpose, in builds that can
  bool requires_coverage = false;
  bool json = false;
  bool verbose = false;  // of one seed: every line of its trace
};

inline constexpr int kUsage = 64;
inline constexpr int kInternal = 70;

// Says in a sentence what could not be done.
using Tell = std::function<void(const Error&)>;

// Exit codes as scenario::Verdict; kUsage for what cannot be done, kInternal when nothing failed
// and a file could not be written.
int explore_main(const ExploreOptions& options, const Tell& tell, std::ostream& out,
                 std::ostream& err);
// `failsim explore merge`: one report from the JSON of several shards. Inconclusive when nothing
// failed and a shard is missing; kUsage for one that is given twice or is of another campaign.
int merge_main(const std::vector<std::string>& files, bool requires_coverage, bool json,
               const Tell& tell, std::ostream& out, std::ostream& err);

}  // namespace failsim::explore
