// What came of a run, in either world.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/invariants.h"
#include "cluster/time.h"
#include "tools/report/verdict.h"

namespace failsim::scenario {

using history::name;
using history::Verdict;
using history::verdict_of;
using history::worse;

struct Outcome {
  Verdict verdict = Verdict::kPass;
  // Invariants by their label (S1, L3, raft); "expect", "hold", "answer", "events", "trigger",
  // "inject", "replay" for what the scenario itself asked, with file, line and column in the text;
  // "crash" (a process ended by itself), "facts" (what happened is not known), "timeout".
  std::vector<invariants::Violation> violations;
  std::vector<std::string> events;  // as pinned: one line each, without number and time
  std::map<std::string, std::uint64_t> evaluations;  // of each invariant
  std::map<std::string, std::uint64_t> coverage;     // what happened, how often
  std::uint64_t trace_hash = 0;                      // virtual only
  Duration duration = 0;

  void add(const std::string& label, std::string text, Time at = 0);  // the verdict follows
};

}  // namespace failsim::scenario
