// One seed from the command line: replayed twice, written down, made small.
#pragma once

#include <ostream>

#include "tools/explore/explore.h"

namespace failsim::explore {

// `failsim explore --seed`: the exit codes are those of explore_main. `options.seed` is set.
int explore_one(const ExploreOptions& options, const Worlds& worlds, const Tell& tell,
                std::ostream& out, std::ostream& err);

}  // namespace failsim::explore
