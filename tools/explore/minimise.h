// Makes a failing scenario smaller: fewer steps, shorter faults, less of everything, as long as it
// breaks the same invariant.
//
// Faults go first, then requests, then what the cluster is made of, then lengths and times. What
// remains is 1-minimal: without any one of its steps and reactions it no longer fails, unless the
// limits ended the search.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tools/scenario/outcome.h"
#include "tools/scenario/scenario.h"

namespace failsim::explore {

using Run = std::function<scenario::Outcome(const scenario::Scenario&)>;

struct MinimiseLimits {
  std::uint32_t runs = 2000;
  std::function<bool()> is_over;  // asked before each run; may be empty
};

struct Minimised {
  scenario::Scenario scenario;  // fails with the label
  std::uint32_t runs = 0;
  bool is_minimal = false;  // false: the limits ended the search
};

// `failing` breaks the invariant `label` when run.
Minimised minimise(const scenario::Scenario& failing, const std::string& label, const Run& run,
                   const MinimiseLimits& limits);

// The first violation with this label; null if there is none.
const invariants::Violation* find_violation(const scenario::Outcome& outcome,
                                            const std::string& label);

}  // namespace failsim::explore
