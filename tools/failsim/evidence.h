// What the launcher knows better than any heartbeat: a process it reaped is dead.
#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include "tools/failsim/directory.h"

namespace failsim::cli {

// Tells every other node, in a thread of its own, until one has accepted it or the thread is asked
// to stop.
std::jthread report_evidence(const ClusterDescription& description, const std::string& token,
                             std::uint32_t dead_node, std::uint32_t instance);

}  // namespace failsim::cli
