// One seed: a cluster under work and under every fault the world knows, and then healed.
//
// For the first two thirds of the run faults come and go while the invariants are checked at every
// step; then everything is healed, and within a bound the cluster has to be whole again.
#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "cluster/invariants.h"
#include "cluster/mistakes.h"
#include "cluster/time.h"
#include "tools/report/fact.h"

namespace failsim::sim {

struct ChaosConfig {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 3;
  Duration duration = 60 * kSecond;
  std::ostream* trace_lines = nullptr;
  history::Sink* sink = nullptr;  // gets every fact of the run
  [[no_unique_address]] Mistakes mistakes;  // one that is made on purpose
};

struct ChaosResult {
  std::uint64_t trace_hash = 0;
  std::vector<invariants::Violation> violations;
  // How often each invariant was put to the test, and what happened at all ("failovers", ...): a
  // campaign in which something never happened has shown nothing about it.
  std::map<std::string, std::uint64_t> evaluations;
  std::map<std::string, std::uint64_t> happened;
};

ChaosResult run_chaos(const ChaosConfig& config);

}  // namespace failsim::sim
