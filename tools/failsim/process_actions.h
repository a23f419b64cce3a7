// The actions of a scenario, performed on a cluster of processes.
#pragma once

#include <string>

#include "cluster/error.h"
#include "tools/failsim/client.h"
#include "tools/scenario/action.h"

namespace failsim::cli {

struct Performed {
  Code code = Code::kOk;
  std::string message;
  json::value body;
};

// As the command line would: asks the cluster, or sends a signal to a node's process. Returns with
// the answer, whatever it is.
Performed perform_action(const scenario::Action& action, Client& client);

// Of the command line.
inline constexpr Client::Milliseconds kActionLimit{30'000};

}  // namespace failsim::cli
