// Values of parameters as text: what is shown parses back to the same value, exactly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/error.h"
#include "cluster/fault/kind.h"
#include "cluster/time.h"

namespace failsim::fault {

std::string exact_duration(Duration duration);        // "1500ms", "-30s"
std::string exact_size(std::int64_t bytes);           // "64MiB", "1500B"
std::string exact_per_mille(std::int64_t per_mille);  // "2.5%"

// "20%", "2.5%": kInvalidParameter for what is not 0 to 100 percent in tenths.
Result<std::int64_t> parse_per_mille(std::string_view text);

// Within the range of the parameter, or kInvalidParameter with the range in the sentence.
Result<std::int64_t> parse_value(const Parameter& parameter, std::string_view text);
std::string value_text(const Parameter& parameter, std::int64_t value);
// "1ms to 60s", "one of fast, slow".
std::string range_text(const Parameter& parameter);

}  // namespace failsim::fault
