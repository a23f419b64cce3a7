// Reports travel as JSON, are merged, and say how a campaign ended.

#include "tools/explore/report.h"

#include <sstream>

#include <gtest/gtest.h>

namespace failsim::explore {
namespace {

using scenario::Verdict;

Report whole() {
  Report report;
  report.seeds = 10;
  report.virtual_time = 600 * kSecond;
  report.wall_time = 2 * kSecond;
  for (const Sometimes& one : sometimes()) report.coverage[std::string(one.key)] = 1;
  for (const std::string& point : points_to_pass()) report.coverage[point_key(point)] = 1;
  for (const std::string_view label : invariant_labels())
    report.evaluations[std::string(label)] = 2;
  return report;
}

Failure failure(Verdict verdict, const std::string& label) {
  Failure failed;
  failed.seed = 7;
  failed.name = "seed-7";
  failed.verdict = verdict;
  failed.label = label;
  failed.text = "VM \"web\" runs twice";
  failed.at = 1234 * kMillisecond;
  failed.replay = "failsim explore --seed 7";
  return failed;
}

TEST(Report, TheExitCodeIsThatOfTheWorst) {
  Report report = whole();
  EXPECT_EQ(exit_status(report, true), 0);
  report.failures.push_back(failure(Verdict::kLiveness, "L2"));
  EXPECT_EQ(exit_status(report, true), 2);
  report.failures.push_back(failure(Verdict::kSafety, "S1"));
  EXPECT_EQ(exit_status(report, true), 1);
}

TEST(Report, WhatNeverHappenedIsInconclusiveWhenCoverageIsRequired) {
  Report report = whole();
  report.coverage.erase("fault kill");
  EXPECT_EQ(exit_status(report, false), 0);
  EXPECT_EQ(exit_status(report, true), 3);
  std::ostringstream out;
  std::ostringstream err;
  print(report, true, out, err);
  EXPECT_EQ(err.str(), "never happened: fault kill\n");
}

TEST(Report, AnInvariantThatWasNeverEvaluatedHasProvenNothing) {
  Report report = whole();
  report.evaluations.erase("S10");
  EXPECT_EQ(exit_status(report, true), 3);
  EXPECT_EQ(gaps(report.coverage, report.evaluations).never_evaluated,
            std::vector<std::string>{"S10"});
}

TEST(Report, APointThatWasNeverPassedIsSeenInItsRow) {
  Report report = whole();
  report.coverage.erase(point_key("source.move.before-send"));
  EXPECT_EQ(exit_status(report, true), 3);
  std::ostringstream out;
  std::ostringstream err;
  print(report, true, out, err);
  std::istringstream lines(out.str());
  std::string line;
  while (std::getline(lines, line) && !line.starts_with("  source.move ")) {
  }
  EXPECT_NE(line.find("never"), std::string::npos) << out.str();
  EXPECT_EQ(err.str(), "never happened: point source.move.before-send\n");
}

TEST(Report, ComesBackFromItsJson) {
  Report report = whole();
  report.failures.push_back(failure(Verdict::kSafety, "S1"));
  const Result<Report> read = report_from_json(to_json(report), "1.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(to_json(read.value()), to_json(report));
}

TEST(Report, ShardsAreAddedUp) {
  Report one = whole();
  one.first_seed = 5;
  Report other = whole();
  other.wall_time = 9 * kSecond;
  other.failures.push_back(failure(Verdict::kSafety, "S1"));
  merge(one, other);
  EXPECT_EQ(one.first_seed, 1u);
  EXPECT_EQ(one.seeds, 20u);
  EXPECT_EQ(one.wall_time, 9 * kSecond);
  EXPECT_EQ(one.failures.size(), 1u);
  EXPECT_EQ(one.coverage.at("fault kill"), 2u);
  EXPECT_EQ(one.evaluations.at("S1"), 4u);
}

TEST(Report, SomethingElseThanAReportIsRefusedByName) {
  for (const char* text :
       {"", "{}", "[1,2]", "{\"version\":99}", "{\"version\":1,\"seeds\":\"x\"}"}) {
    const Result<Report> read = report_from_json(text, "2.json");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_NE(read.error().message.find("2.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace failsim::explore
