// What came of a run, in either world.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/invariants.h"
#include "cluster/time.h"

namespace failsim::scenario {

// The worst of all that happened; the numbers are the exit codes.
enum class Verdict {
  kPass = 0,
  kSafety = 1,            // an invariant, a Hold, or the pinned events
  kLiveness = 2,          // an Expect or the recovery came too late
  kInconclusive = 3,      // a trigger never came, or a fault could not be injected
  kNotDeterministic = 4,  // two runs of one seed differ
};

std::string_view name(Verdict verdict);
// What a violation of this label makes of a run.
Verdict verdict_of(const std::string& label);
// Safety before liveness before determinism before what was not put to the test.
Verdict worse(Verdict one, Verdict other);

struct Outcome {
  Verdict verdict = Verdict::kPass;
  // Invariants by their label (S1, L3, raft); "expect", "hold", "answer", "events", "trigger",
  // "inject", "replay" for what the scenario itself asked, with file, line and column in the text.
  std::vector<invariants::Violation> violations;
  std::vector<std::string> events;  // as pinned: one line each, without number and time
  std::map<std::string, std::uint64_t> evaluations;  // of each invariant
  std::map<std::string, std::uint64_t> coverage;     // what happened, how often
  std::uint64_t trace_hash = 0;                      // virtual only
  Duration duration = 0;

  void add(const std::string& label, std::string text, Time at = 0);  // the verdict follows
};

}  // namespace failsim::scenario
