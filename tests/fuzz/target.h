// The body of a fuzz target, for libFuzzer and for the seeded run of the unit tests: each program
// has one, linked from the *_fuzz.cc it is about.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// Always returns 0; an input for which something does not hold ends the process.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace failsim {

inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace failsim
