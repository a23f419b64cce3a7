// Runs a scenario on real processes: a cluster of its own, real time, faults by those who perform
// them, and what its interface shows.
#pragma once

#include "tools/failsim/directory.h"
#include "tools/scenario/outcome.h"
#include "tools/scenario/scenario.h"

namespace failsim::cli {

// The scenario has passed lint; the directory is empty or missing and stays behind with the logs.
// Nothing runs when this returns. Events are not compared.
scenario::Outcome run_on_processes(const scenario::Scenario& scenario,
                                   const ClusterDirectory& directory);

}  // namespace failsim::cli
