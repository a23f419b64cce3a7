// The table of faults as a document: docs/faults.md is this text.
#pragma once

#include <string>

#include "cluster/fault/kind.h"

namespace failsim::fault {

// "link-delay A->B min=20ms": the kind as it is typed, parameters that may be left out in brackets.
std::string usage(const Kind& kind);
std::string markdown();

}  // namespace failsim::fault
