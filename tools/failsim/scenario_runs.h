// The runs of scenarios, in either world, as the command line makes them: judged, and reported
// where that is wanted.
#pragma once

#include <functional>
#include <vector>

#include "tools/failsim/json.h"
#include "tools/failsim/verb.h"
#include "tools/scenario/scenario.h"

namespace failsim::cli {

// Each in a process of its own: an assertion that fails ends one run, and the end of a run is the
// end of its cluster. `add` gets each result as it comes: name, verdict, "exit" (the number of the
// verdict), violations, coverage, evaluations, and what belongs to one world; a "note" where no
// expected events were there to compare with; "error" where failsim itself could not do something
// beside the run, as writing its report. The arguments are those of `scenario run`.
void run_scenarios(const std::vector<scenario::Scenario>& scenarios, bool on_processes,
                   const Arguments& arguments, const std::function<void(json::object)>& add);

}  // namespace failsim::cli
