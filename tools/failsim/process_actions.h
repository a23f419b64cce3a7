// The actions of a scenario, performed on a cluster of processes.
#pragma once

#include <cstdint>
#include <map>
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

// The newest migration of each VM, as far as is known without asking: a cluster whose log stands
// still answers no reads.
using NewestJobs = std::map<std::string, std::uint64_t>;

// As the command line would: asks the cluster, or sends a signal to a node's process. Returns with
// the answer, whatever it is. `jobs` says what job(VM) is.
Performed perform_action(const scenario::Action& action, const NewestJobs& jobs, Client& client);

// Of the command line.
inline constexpr Client::Milliseconds kActionLimit{30'000};

}  // namespace failsim::cli
