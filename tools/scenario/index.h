// The scenarios of a folder as a page: what each shows, by what it breaks.
#pragma once

#include <string>
#include <vector>

#include "tools/scenario/scenario.h"

namespace failsim::scenario {

// Markdown, ordered by theme and name. The theme of a scenario is the group of the rarest kind of
// fault it has (cluster/fault/kind.h), or what its operators do if nothing breaks.
std::string index_page(const std::vector<Scenario>& scenarios);

}  // namespace failsim::scenario
