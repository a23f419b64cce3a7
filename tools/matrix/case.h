// One case of the matrix in virtual time: a migration, a moment of it, something that happens
// there; then everything is healed, and the whole has to come to rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/invariants.h"
#include "tools/matrix/disturbance.h"
#include "tools/matrix/moment.h"
#include "tools/matrix/outcome.h"
#include "tools/report/fact.h"

namespace failsim::matrix {

// Where the leader is.
enum class Placement { kApart, kSource, kTarget };
inline constexpr std::size_t kPlacements = 3;
std::string_view name(Placement placement);

// What the migration would come to by itself.
enum class Course {
  kCompletes,
  kPostCopies,  // does not converge: the guest goes on at the target before its pages are there
  kIsCanceled,  // a cancel at the end of its first round
  kFails        // the data link breaks in its blackout, for a moment
};
inline constexpr std::size_t kCourses = 4;
std::string_view name(Course course);

struct Case {
  Course course = Course::kCompletes;
  Placement placement = Placement::kApart;
  Moment moment;
  const Disturbance* disturbance = nullptr;
};
Phase phase_of(const Case& one);
// "completes, leader apart: kill source at round.2.begin".
std::string name(const Case& one);

struct CaseResult {
  bool was_struck = false;              // the moment came
  std::optional<std::uint32_t> answer;  // of a request: its code, if it was answered
  bool waited = false;  // nothing was decided about the job as long as the fault lasted
  End end = End::kStuck;
  NodeId owner = kNoNode;
  Sides sides;
  std::vector<invariants::Violation> violations;
  std::uint64_t trace_hash = 0;
  std::string detail;  // of the job: what it said in the end
};

// `sink`, if any, gets every fact.
CaseResult run_case(const Case& one, history::Sink* sink = nullptr);

// The same without a disturbance: what it passes, and when.
std::vector<Passed> passed_by(Course course, Placement placement);

}  // namespace failsim::matrix
