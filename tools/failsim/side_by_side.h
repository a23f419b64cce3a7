// Work in child processes, several at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "tools/failsim/errors.h"
#include "tools/failsim/json.h"

namespace failsim::cli {

// What became of one piece of work.
struct ChildEnd {
  std::optional<json::object> result;  // nothing if there is none; then one of the rest says why
  std::optional<Failure> failure;      // it threw this
  bool timed_out = false;              // and was killed
  std::string how;                     // its process ended, in words
};

// Calls `work` with 0 to count - 1, each in a process of its own, at most `jobs` of them at a time,
// and `done` with each end as it comes, in this process. A child that takes longer than `timeout`
// is killed.
void side_by_side(std::size_t count, std::size_t jobs, std::chrono::milliseconds timeout,
                  const std::function<json::object(std::size_t)>& work,
                  const std::function<void(std::size_t, const ChildEnd&)>& done);

}  // namespace failsim::cli
