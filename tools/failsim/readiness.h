// When a cluster that was started is ready: every node is Up with its new process, and led.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "tools/failsim/directory.h"
#include "tools/failsim/errors.h"

namespace failsim::cli {

// Blocks until ready, the limit, or a stop request. `instances`: of the processes by node number.
// Returns nothing when ready, otherwise what is missing.
std::optional<Error> wait_until_ready(const ClusterDescription& description,
                                      const std::string& token,
                                      const std::map<std::uint32_t, std::uint32_t>& instances,
                                      std::chrono::milliseconds limit, const std::stop_token& stop);

// Whether something listens there.
bool accepts_connections(const std::string& address, std::uint16_t port);

}  // namespace failsim::cli
