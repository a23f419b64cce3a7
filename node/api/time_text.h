// Wall time for people: RFC 3339, UTC, milliseconds.
#pragma once

#include <cstdint>
#include <string>

namespace failsim::node {

// For example "2024-02-29T23:59:59.007Z" of nanoseconds since 1970.
std::string rfc3339_utc(std::int64_t unix_ns);

}  // namespace failsim::node
