// The operator's actions of a scenario as calls of a node's interface: the bodies that the verbs of
// the command line send.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cluster/error.h"
#include "tools/failsim/json.h"
#include "tools/scenario/action.h"

namespace failsim::cli {

struct ApiCall {
  std::string method;
  std::string target;
  json::object body;
};

// Any verb but node kill, start and stop. An error is what the command line refuses by itself.
// `newest_job` is asked for the word job(VM).
Result<ApiCall> api_call_of(const scenario::Action& action,
                            const std::function<std::uint64_t(const std::string& vm)>& newest_job);

}  // namespace failsim::cli
