// The log of a node: one line a fact, on the standard error stream.
#pragma once

#include <string_view>

namespace failsim::node {

enum class Level { kInfo, kWarning, kError };

// Writes "<time> <level> <text>" as one line in one write, so that lines of threads never mix.
// Control characters in `text` are shown as '?'.
void log(Level level, std::string_view text);

}  // namespace failsim::node
