// What a running process has used so far, from /proc.
#pragma once

#include <cstdint>

#include <sys/types.h>

namespace failsim::bench {

// User and system time of all its threads; 0 if the process is gone.
double cpu_seconds(pid_t process);
// Of this process.
double own_cpu_seconds();
// Resident memory; 0 if the process is gone.
std::uint64_t resident_bytes(pid_t process);

}  // namespace failsim::bench
