// docs/migration-outcomes.md, made from what the cases came to.
#pragma once

#include <string>
#include <vector>

#include "tools/matrix/matrix.h"

namespace failsim::matrix {

// The table of one place of the leader, with its heading.
std::string section(Placement placement, const std::vector<Judged>& all);
// The whole page.
std::string page(const std::vector<Judged>& all);

}  // namespace failsim::matrix
