// Sizes, rates and times as text that reads back to the same number.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/time.h"

namespace failsim::scenario {

std::string size_text(std::uint64_t bytes);    // "64MiB"
std::string rate_text(std::uint64_t bytes);    // "8MiB/s"
std::string duration_text(Duration duration);  // "1500ms"

}  // namespace failsim::scenario
