// The table of faults as a document: docs/faults.md is this text.
#pragma once

#include <string>
#include <string_view>

#include "cluster/fault/kind.h"

namespace failsim::fault {

inline constexpr std::string_view kNothingToUndo = "Nothing has to be undone.";
// Once it is injected it is over: its lease means nothing, and there is nothing to heal.
bool is_over_at_once(const Kind& kind);

// "link-delay A->B min=20ms": the kind as it is typed, parameters that may be left out in brackets.
std::string usage(const Kind& kind);
std::string markdown();

}  // namespace failsim::fault
