// What the logs of a cluster's processes show of their health: S23.
#pragma once

#include <string_view>
#include <vector>

#include "tools/failsim/directory.h"
#include "tools/report/fact.h"

namespace failsim::cli {

// Whether a sound process never writes this line: a failed assertion, an exception that nobody
// caught, what a sanitizer or a crash leaves behind.
bool is_complaint(std::string_view line);

// One for each such line in the logs of the nodes, the volume and the supervisor; the node is
// kNoNode for those of the last two. Nothing needs to run.
std::vector<history::Complaint> complaints_in_logs(const ClusterDirectory& directory,
                                                   const ClusterDescription& description);

}  // namespace failsim::cli
