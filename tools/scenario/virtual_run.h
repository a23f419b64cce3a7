// Runs a scenario in the virtual world.
#pragma once

#include <map>
#include <ostream>
#include <vector>

#include "tools/report/fact.h"
#include "tools/scenario/outcome.h"
#include "tools/scenario/scenario.h"

namespace failsim::scenario {

// What became of the faults of a run, by their place in the scenario that was run: of each, time
// after time, whether it was injected.
using FaultCourse = std::map<const Inject*, std::vector<bool>>;

struct VirtualRunOptions {
  std::ostream* trace_lines = nullptr;  // every line of the trace, if somebody reads
  history::Sink* sink = nullptr;        // gets every fact of the run
  // Goes on when a fault could not be injected: what was drawn may find its node dead. It is
  // counted.
  bool skips_refused_faults = false;
  bool stops_at_violation = false;  // of an invariant: ends with the first
  FaultCourse* faults = nullptr;    // is told, if somebody asks
};

// The scenario has passed lint. The invariants are checked at every step; the same scenario gives
// the same outcome, trace hash included, on any machine. Steps end with the first one that fails;
// the recovery is asked for only when all of them passed.
Outcome run_virtual(const Scenario& scenario, const VirtualRunOptions& options = {});

// Runs it twice: a difference is a violation "replay".
Outcome run_virtual_twice(const Scenario& scenario, const VirtualRunOptions& options = {});

}  // namespace failsim::scenario
