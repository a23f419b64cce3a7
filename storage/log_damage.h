// Whether what a store gives back makes sense as a log: the last thing that notices damage which
// the checksums of the database below did not.
#pragma once

#include <optional>
#include <string>

#include "cluster/durable.h"

namespace failsim {

// What is wrong with the order or the checksums of the log, as a part of a sentence ("log entry 7
// follows entry 5"); nothing if it is whole.
std::optional<std::string> log_damage(const Recovered& recovered);

}  // namespace failsim
