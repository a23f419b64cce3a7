// A drawn scenario made to run by itself.
#pragma once

#include "tools/scenario/scenario.h"

namespace failsim::explore {

// Without the faults that hit nothing: the search goes on when a drawn fault is refused, and a
// scenario does not. What is left is run again until nothing is refused any more, for without them
// the world may go another way. A step that goes leaves its time to the next; a reaction that was
// refused goes on only as often as it hit before.
scenario::Scenario without_refused_faults(scenario::Scenario drawn);

}  // namespace failsim::explore
