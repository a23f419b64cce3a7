// What the exit status of the command line means: `failsim help exit-codes`.
#pragma once

#include <span>
#include <string_view>

#include "tools/failsim/output.h"

namespace failsim::cli {

struct ExitCode {
  int number;
  std::string_view meaning;  // a phrase, for people
};

// Every exit status that a verb may end with, by its number.
std::span<const ExitCode> exit_codes();

// As a table, or as a JSON array of {exit, meaning}.
void show_exit_codes(Output& output);

}  // namespace failsim::cli
