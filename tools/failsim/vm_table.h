// The VMs of a cluster as people read them.
#pragma once

#include <string>

#include "tools/failsim/json.h"

namespace failsim::cli {

// A row for each VM of /v1/vms: what it does, where, and how far its migration is.
std::string vm_table(const json::array& vms);

// "web Running on node-1 (Data Transfer, 43 %)"
std::string vm_phrase(const json::object& vm);

}  // namespace failsim::cli
