// Reports travel as JSON, are merged, and say how a campaign ended.

#include "tools/explore/report.h"

#include <sstream>

#include <gtest/gtest.h>

namespace failsim::explore {
namespace {

using scenario::Verdict;

Report whole() {
  Report report;
  report.parts = {1};
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

// The third of three shards of a campaign of a hundred seeds, and so on.
Report part(std::uint64_t number) {
  Report report = whole();
  report.campaign.first_seed = 5;
  report.campaign.seeds = 100;
  report.campaign.shards = 3;
  report.parts = {number};
  return report;
}

TEST(Report, ShardsAreAddedUp) {
  Report all;
  Report other = part(2);
  other.wall_time = 9 * kSecond;
  other.failures.push_back(failure(Verdict::kSafety, "S1"));
  EXPECT_FALSE(merge(all, part(1), "1.json"));
  EXPECT_FALSE(merge(all, other, "2.json"));
  EXPECT_EQ(all.campaign.first_seed, 5u);
  EXPECT_EQ(all.seeds, 20u);
  EXPECT_EQ(all.wall_time, 9 * kSecond);
  EXPECT_EQ(all.failures.size(), 1u);
  EXPECT_EQ(all.coverage.at("fault kill"), 2u);
  EXPECT_EQ(all.evaluations.at("S1"), 4u);
}

TEST(Report, AShardThatIsGivenTwiceIsRefused) {
  Report all;
  EXPECT_FALSE(merge(all, part(2), "2.json"));
  const std::optional<Error> error = merge(all, part(2), "copy.json");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::kAlreadyExists);
  EXPECT_NE(error->message.find("Part 2/3 is in copy.json"), std::string::npos) << error->message;
  EXPECT_EQ(all.seeds, 10u) << "it was counted all the same";
}

TEST(Report, AShardOfAnotherCampaignIsRefused) {
  Report all;
  EXPECT_FALSE(merge(all, part(1), "1.json"));
  Report other = part(2);
  other.campaign.first_seed = 1000;
  const std::optional<Error> error = merge(all, other, "2.json");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::kInvalidData);
  EXPECT_NE(error->message.find("seeds from 1000"), std::string::npos) << error->message;
  other = part(2);
  other.campaign.shards = 4;
  EXPECT_TRUE(merge(all, other, "2.json"));
  other = part(2);
  other.campaign.seeds.reset();
  other.campaign.budget = 60 * kSecond;
  EXPECT_TRUE(merge(all, other, "2.json"));
}

TEST(Report, AMergeThatLacksAShardIsInconclusive) {
  Report all;
  EXPECT_FALSE(merge(all, part(1), "1.json"));
  EXPECT_FALSE(merge(all, part(3), "3.json"));
  EXPECT_EQ(exit_status(all, false), 3);
  EXPECT_EQ(missing_parts(all), std::vector<std::uint64_t>{2});
  std::ostringstream out;
  std::ostringstream err;
  print(all, false, out, err);
  EXPECT_TRUE(err.str().starts_with("Part 2/3 is missing")) << err.str();
  // It comes back as what it is, and can be made whole.
  Report again = report_from_json(to_json(all), "merged.json").take();
  EXPECT_EQ(exit_status(again, false), 3);
  EXPECT_FALSE(merge(again, part(2), "2.json"));
  EXPECT_EQ(exit_status(again, false), 0);
  // One shard by itself promises nothing about the others.
  EXPECT_EQ(exit_status(part(1), false), 0);
}

TEST(Report, OneIsNoPlural) {
  Report one = whole();
  one.seeds = 1;
  std::ostringstream out;
  std::ostringstream err;
  print(one, false, out, err);
  EXPECT_NE(out.str().find("\n1 seed from 1,"), std::string::npos) << out.str();
}

TEST(Coverage, EveryRuleOfTheJudgeHasToBeEvaluated) {
  for (const std::string_view label : {"S21", "L7", "raft"}) {
    Report report = whole();
    report.evaluations.erase(std::string(label));
    EXPECT_EQ(exit_status(report, true), 3) << label;
  }
}

TEST(Report, SomethingElseThanAReportIsRefusedByName) {
  for (const char* text :
       {"", "{}", "[1,2]", "{\"version\":99}", "{\"version\":2,\"seeds\":\"x\"}"}) {
    const Result<Report> read = report_from_json(text, "2.json");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_NE(read.error().message.find("2.json"), std::string::npos);
    EXPECT_EQ(read.error().message.find("boost"), std::string::npos) << read.error().message;
  }
  Report fourth = part(3);
  fourth.parts = {4};
  EXPECT_FALSE(report_from_json(to_json(fourth), "4.json").ok()) << "the fourth of three";
}

}  // namespace
}  // namespace failsim::explore
