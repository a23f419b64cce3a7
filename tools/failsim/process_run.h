// Runs a scenario on real processes: a cluster of its own, real time, faults by those who perform
// them, and what its interface shows.
#pragma once

#include <optional>
#include <string>

#include "tools/failsim/directory.h"
#include "tools/scenario/outcome.h"
#include "tools/scenario/scenario.h"

namespace failsim::cli {

// Why processes cannot play the scenario, as the rest of a sentence; nothing if they can.
std::optional<std::string> reason_to_skip(const scenario::Scenario& scenario);

// The scenario has passed lint; the directory is empty or missing and stays behind with the logs.
// Nothing runs when this returns. Events are not compared.
scenario::Outcome run_on_processes(const scenario::Scenario& scenario,
                                   const ClusterDirectory& directory);

}  // namespace failsim::cli
