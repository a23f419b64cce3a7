// The matrix: every moment of a migration with everything that may happen there, and what has to
// come of it.
#pragma once

#include <string>
#include <vector>

#include "tools/matrix/case.h"

namespace failsim::matrix {

struct Judged {
  Case what;
  CaseResult result;
  Ends allowed;
  std::string wrong;  // a sentence; empty if it is as documented
};

std::vector<Case> cases(Course course, Placement placement);
std::vector<Case> all_cases();

// Runs a case and judges it by the rules and by all invariants.
Judged judge_case(const Case& one);
// In the order of the cases, whatever the number of threads.
std::vector<Judged> judge_cases(const std::vector<Case>& all, unsigned threads);

}  // namespace failsim::matrix
