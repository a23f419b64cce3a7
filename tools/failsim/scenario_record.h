// scenario record: what was done to a cluster becomes a scenario.
#pragma once

#include "tools/failsim/verb.h"

namespace failsim::cli {

Verb scenario_record_verb();

}  // namespace failsim::cli
