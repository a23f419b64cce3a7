// Starting a child that cannot outlive its parent.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "tools/failsim/files.h"

namespace failsim::cli {

inline constexpr int kInheritedListener = 3;

struct Place {
  int network = -1;
  int listener = -1;
};

// Runs the command with its output appended to the log file, in a process group of its own; it is
// killed when the calling thread's process dies. To be called from the main thread only, because
// the kernel ties the child to the thread that forked it.
//
// The child inherits `listener` as descriptor kInheritedListener, and runs in the network namespace
// of `network`; where these are -1, in that of the caller and without one.
pid_t spawn(const std::vector<std::string>& command, const fs::path& log, Place place = {});

// Runs the command to its end; what it printed is the reason if it fails. `what` begins that
// Failure's sentence, and `next` says what to do.
void run_to_end(const std::vector<std::string>& command, const std::string& what,
                const std::string& next);

// "exited with status 74" or "was killed by signal 9", of a status of waitpid.
std::string describe_end(int status);

}  // namespace failsim::cli
