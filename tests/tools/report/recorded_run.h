// Runs of the virtual world that are written down, for the tests of what is done with them.
#pragma once

#include <sstream>
#include <string>

#include "tools/report/history.h"
#include "tools/sim/chaos.h"

namespace failsim::history {

struct RecordedRun {
  sim::ChaosResult result;
  std::string history;
};

// A seed under faults and work.
inline RecordedRun record_seed(std::uint64_t seed) {
  std::ostringstream out;
  HistoryWriter writer(out,
                       RunIdentity{"seed " + std::to_string(seed), "failsim simulate", "virtual"});
  sim::ChaosConfig config;
  config.seed = seed;
  config.sink = &writer;
  RecordedRun run;
  run.result = run_chaos(config);
  run.history = out.str();
  return run;
}

// The first line that holds this text, without its end; empty if there is none.
inline std::string line_with(const std::string& history, const std::string& text) {
  const std::size_t at = history.find(text);
  if (at == std::string::npos) return "";
  const std::size_t begin = history.rfind('\n', at) + 1;
  return history.substr(begin, history.find('\n', at) - begin);
}

}  // namespace failsim::history
