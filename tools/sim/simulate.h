// `failsim simulate`: chaos in virtual time, from the command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>

#include "cluster/mistakes.h"

namespace failsim::sim {

struct SimulateOptions {
  std::uint64_t seeds = 0;            // run seeds 1..N, each twice
  std::optional<std::uint64_t> seed;  // or this one
  std::uint32_t nodes = 3;            // 1..7
  bool json = false;
  bool verbose = false;  // of one seed: every line of its trace; of many: what happened
  bool report = false;   // of one seed: written even if nothing was violated
  std::filesystem::path runs = "runs";      // where reports are written
  [[no_unique_address]] Mistakes mistakes;  // one that is made on purpose
  std::string planted;                      // its name, for the line that replays it
};

// A seed that fails always gets a report, and `err` says where it is; of many, the first few do.
//
// Returns the exit code: that of the worst verdict (tools/report/verdict.h), 64 for options that
// make no sense, 70 when nothing failed and the report could not be written.
int simulate_main(const SimulateOptions& options, std::ostream& out, std::ostream& err);

}  // namespace failsim::sim
