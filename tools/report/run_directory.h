// The directories of runs: runs/<id>/, each written once and never over another.
#pragma once

#include <chrono>
#include <filesystem>
#include <string_view>

#include "cluster/error.h"

namespace failsim::history {

// Creates a directory for a run that is reported now, and makes `latest` beside it mean it. The
// name is the time (UTC) and, when that is taken, a number: two runs never share one. kWriteFault
// with a sentence if it cannot be created.
Result<std::filesystem::path> create_run_directory(const std::filesystem::path& runs,
                                                   std::chrono::system_clock::time_point now);

// kWriteFault with a sentence if the file cannot be written whole.
Result<std::filesystem::path> write_run_file(const std::filesystem::path& file,
                                             std::string_view content);

}  // namespace failsim::history
