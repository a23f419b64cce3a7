// Assertions of the core are invariants, too: one that fails ends the process. A campaign says
// which run that was; a single run is tried in a child.
#pragma once

#include <string>

#include "tools/explore/campaign.h"
#include "tools/scenario/outcome.h"
#include "tools/scenario/scenario.h"

namespace failsim::explore {

inline constexpr char kAssertion[] = "assertion";  // the label of its violation

// From now on a failed assertion prints what this thread said last, and ends the process with 1.
void tell_failed_assertions();
// What the calling thread is doing: a command line that shows it again.
void now_running(const std::string& replay);

// Only the labels of what the run violates, and kAssertion if one ended it. Of a process with one
// thread.
scenario::Outcome run_in_child(const scenario::Scenario& scenario, const Worlds& worlds);

}  // namespace failsim::explore
