// From the words that were typed to a verb that runs, and from a Failure to an exit status.
#pragma once

#include <string>
#include <vector>

namespace failsim::cli {

int run_command_line(int count, const char* const* words);

// The candidate that is nearest to a mistyped word; empty if none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace failsim::cli
