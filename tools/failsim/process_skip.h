// What processes cannot play of a scenario.
#pragma once

#include <optional>
#include <string>

#include "tools/scenario/scenario.h"

namespace failsim::cli {

// Why processes cannot play the scenario, as the rest of a sentence; nothing if they can.
std::optional<std::string> reason_to_skip(const scenario::Scenario& scenario);

}  // namespace failsim::cli
