// The invariants that a cluster of processes can show, once a scenario is over.
#pragma once

#include <vector>

#include "tools/failsim/directory.h"
#include "tools/failsim/json.h"
#include "tools/scenario/outcome.h"

namespace failsim::cli {

// S4, S5, S10, S22: all events of record of a cluster, in the order in which they were told.
void check_events(const std::vector<json::object>& events, scenario::Outcome& outcome);

// S11, S12: the journals on the shared volume are the witness of who ran a VM, and when. Nothing
// may run there.
void check_journals(const ClusterDirectory& directory, scenario::Outcome& outcome);

}  // namespace failsim::cli
