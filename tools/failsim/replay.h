// Taking a member through what a real one was told.
#pragma once

#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <limits>

#include "storage/recording.h"
#include "tools/failsim/json.h"

namespace failsim::cli {

struct ReplayOptions {
  std::uint64_t until = std::numeric_limits<std::uint64_t>::max();  // the last step to be taken
  std::ostream* lines = nullptr;                                    // one for each step, if any
};

// What came of a replay, under "verdict": "same", or "diverged" at the step under "divergence",
// where it ends. `under_way` is the number of the step being taken, 0 before the first: what a
// process that ends in one leaves behind.
json::object replay(const Recording& recording, const ReplayOptions& options,
                    std::atomic<std::uint64_t>& under_way);

// The same in a process of its own, so that a step that ends the process does not end this one.
// Then the verdict is "crashed" if the recording ends in that very step, else "diverged", and
// "crash" says which step and how it ended.
json::object replay_in_child(const Recording& recording, const ReplayOptions& options);

}  // namespace failsim::cli
