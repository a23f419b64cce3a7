// What the violations of a run come to, in one word and one exit code.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/invariants.h"

namespace failsim::history {

// The worst of all that happened; the numbers are the exit codes.
enum class Verdict {
  kPass = 0,
  kSafety = 1,            // an invariant, a Hold, or the pinned events
  kLiveness = 2,          // an Expect or the recovery came too late
  kInconclusive = 3,      // a trigger never came, or a fault could not be injected
  kNotDeterministic = 4,  // two runs of one seed differ
  kTimeout = 124,         // the run did not end in its time
};

std::string_view name(Verdict verdict);
// What a violation of this label makes of a run.
Verdict verdict_of(const std::string& label);
// Safety before liveness before determinism before what was not put to the test.
Verdict worse(Verdict one, Verdict other);

// The worst of all these.
Verdict verdict_of(const std::vector<invariants::Violation>& violations);

}  // namespace failsim::history
