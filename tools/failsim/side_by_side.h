// Work in child processes, several at a time.
#pragma once

#include <cstddef>
#include <functional>

#include "tools/failsim/json.h"

namespace failsim::cli {

// Calls `work` with 0 to count - 1, each in a process of its own, at most `jobs` of them at a time,
// and `done` with each result as it comes, in this process. A child that ends without a result is
// a Failure, once the others have ended.
void side_by_side(std::size_t count, std::size_t jobs,
                  const std::function<json::object(std::size_t)>& work,
                  const std::function<void(std::size_t, const json::object&)>& done);

}  // namespace failsim::cli
