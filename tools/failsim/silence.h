// Why no node answers: what their processes do.
#pragma once

#include <chrono>
#include <string>

#include "tools/failsim/directory.h"
#include "tools/failsim/errors.h"

namespace failsim::cli {

// The time is over and no node has answered. Of a write that a node may have taken it says that
// nobody knows what became of it.
Error silence_of(const ClusterDirectory& directory, const ClusterDescription& description,
                 std::chrono::milliseconds limit, bool may_be_carried_out);

}  // namespace failsim::cli
