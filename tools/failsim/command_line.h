// From the words that were typed to a verb that runs, and from a Failure to an exit status.
#pragma once

namespace failsim::cli {

int run_command_line(int count, const char* const* words);

}  // namespace failsim::cli
