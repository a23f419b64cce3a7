// Which verb the words of a command line name, or which of them is the name of nothing.
#pragma once

#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace failsim::cli {

// The verb or group that typed words name, from the second on, with options and values among them.
// A usage error for a verb that there is not, and with `with_options` for such an option, too.
const CLI::App* named_verb(const CLI::App& program, int count, const char* const* words,
                           bool with_options);

// The verb or group of these names, and of nothing else; a usage error for one that there is not.
const CLI::App* verb_called(const CLI::App& program, const std::vector<std::string>& names);

// " migrate cancel", or nothing for the program itself.
std::string path_of(const CLI::App* app);

}  // namespace failsim::cli
