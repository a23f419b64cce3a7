// Steps of a member in words, one line each, for people who read a recording.
#pragma once

#include <string>
#include <vector>

#include "cluster/effects.h"
#include "cluster/time.h"

namespace failsim::cli {

// "message from node-2: append { ... }".
std::string event_text(const Event& event);
// "2 messages, 1 entry, 3 rows, applied 17"; "nothing" if nothing is wanted.
std::string effects_summary(const Effects& effects);
// Everything that is wanted, a line each.
std::vector<std::string> effects_lines(const Effects& effects);
// "12.345678901 s".
std::string seconds_text(Duration duration);

}  // namespace failsim::cli
