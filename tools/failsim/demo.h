// The demo: a whole story of a cluster, each chapter checked as it is told.
#pragma once

#include "tools/failsim/context.h"

namespace failsim::cli {

// Returns 0 if every step did what it says. Nothing runs afterwards unless `keep`.
int run_demo(Context& context, bool keep);

}  // namespace failsim::cli
