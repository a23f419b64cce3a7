// A run is recorded by one command and judged again by another.
#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"
#include "tests/tools/program.h"
#include "tools/failsim/files.h"

namespace failsim::cli {
namespace {

using test::Outcome;

class CheckTest : public testing::Test {
 protected:
  void SetUp() override {
    const Outcome run = failsim({"simulate", "--seed", "3", "--report=" + runs_.path()});
    ASSERT_EQ(run.exit, 0) << run.err;
    ASSERT_NE(run.err.find("report.html"), std::string::npos) << run.err;
  }
  static Outcome failsim(std::vector<std::string> words) {
    words.insert(words.begin(), FAILSIM_PROGRAM);
    return test::run_program(words);
  }
  fs::path history() const { return fs::path(runs_.path()) / "latest" / "history.jsonl"; }
  void append(const std::string& text) const { std::ofstream(history(), std::ios::app) << text; }

  TemporaryDirectory runs_;
};

TEST_F(CheckTest, ShowsHowOftenEachRuleWasPutToTheTest) {
  const Outcome check = failsim({"check", runs_.path() + "/latest"});
  // 0, or 3 if the run says nothing about some rule; then it is named.
  std::string last = check.out.substr(0, check.out.size() - 1);
  last = last.substr(last.rfind('\n') + 1);
  EXPECT_EQ(check.exit == 3, last.starts_with("inconclusive: ")) << last;
  EXPECT_EQ(check.exit == 3, last.find(" never put to the test; ") != std::string::npos) << last;
  EXPECT_EQ(check.exit == 0, last.starts_with("pass: ")) << last;
  EXPECT_TRUE(check.exit == 0 || check.exit == 3) << check.err;
  EXPECT_NE(check.out.find("S12"), std::string::npos) << check.out;
  EXPECT_NE(check.out.find("0 violations"), std::string::npos) << check.out;
}

TEST_F(CheckTest, FindsAPlantedFactAndSaysThatTheRunDidNot) {
  append(
      "{\"time_ns\":60000000000,\"kind\":\"image-verified\",\"node\":1,\"vm\":\"vm-1\",\"job\":1,"
      "\"match\":false}\n");
  const Outcome check = failsim({"check", history().string()});
  EXPECT_EQ(check.exit, 1);
  EXPECT_NE(check.out.find("S10 at 60.000 s"), std::string::npos) << check.out;
  EXPECT_NE(check.err.find("The run itself had found 0"), std::string::npos) << check.err;
}

TEST_F(CheckTest, TheLastLineSaysWhyARunIsInconclusive) {
  // Nothing happened but the end.
  const fs::path empty = fs::path(runs_.path()) / "empty.jsonl";
  const std::string first = read_file(history()).value_or("");
  std::ofstream(empty) << first.substr(0, first.find('\n') + 1);
  const Outcome check = failsim({"check", empty.string()});
  EXPECT_EQ(check.exit, 3) << check.out;
  EXPECT_NE(check.out.find("\ninconclusive: raft, S1, "), std::string::npos) << check.out;
  const Outcome told = failsim({"check", empty.string(), "--output", "json"});
  EXPECT_NE(told.out.find("\"verdict\":\"inconclusive\""), std::string::npos) << told.out;
}

TEST_F(CheckTest, ALivenessViolationHasItsOwnStatus) {
  append(
      "{\"time_ns\":60000000000,\"kind\":\"expectation\",\"rule\":\"L1\",\"held\":false,"
      "\"text\":\"there is no leader\"}\n");
  EXPECT_EQ(failsim({"check", history().string()}).exit, 2);
}

TEST_F(CheckTest, ATornHistoryIsReadUpToThere) {
  append("{\"time_ns\":600000");
  const Outcome check = failsim({"check", history().string()});
  EXPECT_NE(check.err.find("torn"), std::string::npos) << check.err;
}

TEST_F(CheckTest, ADamagedHistoryIsRefusedWithTheNumberOfTheLine) {
  append("nonsense\n");
  const Outcome check = failsim({"check", history().string()});
  EXPECT_NE(check.exit, 0);
  EXPECT_NE(check.err.find("Line "), std::string::npos) << check.err;
}

TEST_F(CheckTest, ARunThatIsNotThereIsTold) {
  const Outcome check = failsim({"check", runs_.path() + "/nothing"});
  EXPECT_NE(check.exit, 0);
  EXPECT_NE(check.err.find("There is no history"), std::string::npos) << check.err;
}

}  // namespace
}  // namespace failsim::cli
