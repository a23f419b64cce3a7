// Every moment of a migration with everything that may happen there: each case ends as documented,
// never with two owners, never stuck, with nothing left behind; and the page says what was found.

#include "tools/matrix/matrix.h"

#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "tools/matrix/page.h"
#include "tools/matrix/rules.h"

namespace failsim::matrix {
namespace {

std::string page_on_disk() {
  std::ifstream file(FAILSIM_OUTCOMES_PAGE);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Matrix : public testing::TestWithParam<Placement> {};

// After a change: failsim matrix --jobs 2 --markdown > docs/migration-outcomes.md
TEST_P(Matrix, EndsAsDocumentedAndThePageSaysSo) {
  std::vector<Judged> all;
  for (std::size_t course = 0; course < kCourses; ++course) {
    const std::vector<Case> of_course = cases(static_cast<Course>(course), GetParam());
    EXPECT_GT(of_course.size(), 100u) << name(static_cast<Course>(course));
    for (const Case& one : of_course) {
      all.push_back(judge_case(one));
      EXPECT_EQ(all.back().wrong, "") << name(one);
    }
  }
  EXPECT_NE(page_on_disk().find(section(GetParam(), all)), std::string::npos)
      << "the page is not up to date:\n"
      << section(GetParam(), all);
}

std::string test_name(const testing::TestParamInfo<Placement>& info) {
  std::string text;
  for (const char letter : name(info.param)) {
    if (letter != ' ') text += letter;
  }
  return text;
}

INSTANTIATE_TEST_SUITE_P(WhereverTheLeaderIs, Matrix,
                         testing::Values(Placement::kApart, Placement::kSource, Placement::kTarget),
                         test_name);

TEST(MatrixCases, AreTheSameTwice) {
  const std::vector<Case> all = cases(Course::kCompletes, Placement::kApart);
  for (std::size_t i = 0; i < all.size(); i += 97) {
    const CaseResult first = run_case(all[i]);
    EXPECT_EQ(first.trace_hash, run_case(all[i]).trace_hash) << name(all[i]);
  }
}

TEST(MatrixCases, PassEveryPointThatIsNotOfALateRound) {
  std::vector<bool> passed(fault::point_names().size(), false);
  for (std::size_t course = 0; course < kCourses; ++course) {
    for (const Passed& one : passed_by(static_cast<Course>(course), Placement::kApart)) {
      passed[one.moment.point] = true;
    }
  }
  for (fault::PointId point = 0; point < passed.size(); ++point) {
    const std::string& name = fault::point_names()[point];
    const bool is_early = name.starts_with("round.1.") || name.starts_with("round.2.");
    if (name.starts_with("round.") && !is_early) continue;
    EXPECT_TRUE(passed[point]) << name;
  }
}

// The rules can say no.
TEST(MatrixRules, KnowWhatIsWrong) {
  const Moment held{*fault::find_point("blackout.held"), 1, 0};
  const Case target_dies{Course::kCompletes, Placement::kApart, held,
                         find_disturbance("kill target")};
  EXPECT_EQ(allowed_ends(target_dies), Ends(End::kFailed));
  const Case cancel{Course::kCompletes, Placement::kApart, held, find_disturbance("cancel")};
  EXPECT_EQ(allowed_ends(cancel), Ends(End::kCompleted));
  EXPECT_TRUE(is_allowed_answer(cancel, 5023, End::kCompleted));
  EXPECT_FALSE(is_allowed_answer(cancel, 0, End::kCompleted)) << "told canceled, and was not";
  EXPECT_FALSE(is_allowed_answer(cancel, std::nullopt, End::kCompleted));
  EXPECT_FALSE(is_allowed_answer(cancel, 997, End::kCompleted)) << "a leader lives";
  const Moment sending{*fault::find_point("round.2.begin"), 1, 0};
  const Case unled{Course::kCompletes, Placement::kApart, sending,
                   find_disturbance("cancel, nobody to order it")};
  EXPECT_EQ(allowed_ends(unled), Ends(End::kCanceled)) << "the source is held";
  EXPECT_TRUE(is_allowed_answer(unled, 997, End::kCanceled));
}

}  // namespace
}  // namespace failsim::matrix
