// Which code decides: two programs with the same fingerprint hold the same core.
#pragma once

#include <string_view>

namespace failsim {

// A hash over the sources of cluster/, as 16 hexadecimal digits, made when the core is built.
std::string_view core_fingerprint();

}  // namespace failsim
