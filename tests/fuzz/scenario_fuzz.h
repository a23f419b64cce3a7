// The body of the fuzz target of scenario files, for libFuzzer and for the seeded run of the unit
// tests.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
