// `failsim explore`: the search from the command line.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "cluster/time.h"
#include "tools/explore/campaign.h"

namespace failsim::explore {

struct ExploreOptions {
  CampaignOptions campaign;
  std::optional<std::uint64_t> seed;  // only this one, twice
  std::string write;                  // with `seed`: a folder for the scenario it draws
  std::string corpus;                 // a folder; empty: none
  std::string keep;                   // where small scenarios are saved; empty: nowhere
  std::string plant;                  // a mistake made on purpose, in builds that can
  bool requires_coverage = false;
  bool json = false;
  bool verbose = false;  // of one seed: every line of its trace
};

// Exit codes as scenario::Verdict; 64 for what cannot be done, 70 when a file cannot be written.
int explore_main(const ExploreOptions& options, std::ostream& out, std::ostream& err);
// `failsim explore merge`: one report from the JSON of several shards.
int merge_main(const std::vector<std::string>& files, bool requires_coverage, bool json,
               std::ostream& out, std::ostream& err);

}  // namespace failsim::explore
