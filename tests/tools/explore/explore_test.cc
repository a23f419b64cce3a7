// The search as it is typed: correct code passes, a forgotten page is found and made small.

#include "tools/explore/explore.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"
#include "tools/explore/archive.h"
#include "tools/explore/draw.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/virtual_run.h"

namespace failsim::explore {
namespace {

namespace fs = std::filesystem;

class Explore : public testing::Test {
 protected:
  int explore(const ExploreOptions& options) { return explore_main(options, tell_, out_, err_); }

  const TemporaryDirectory directory_;
  const fs::path folder_{directory_ / "folder"};
  std::ostringstream out_;
  std::ostringstream err_;
  const Tell tell_ = [this](const Error& error) { err_ << error.message << '\n'; };
};

TEST_F(Explore, FindsNothingInTheCodeAsItIs) {
  ExploreOptions options;
  options.campaign.seeds = 150;
  EXPECT_EQ(explore(options), 0) << err_.str();
  EXPECT_NE(out_.str().find("150 seeds from 1"), std::string::npos) << out_.str();
}

TEST_F(Explore, ASeedIsReplayedAndWritten) {
  ExploreOptions options;
  options.seed = 4;
  options.write = folder_.string();
  EXPECT_EQ(explore(options), 0) << err_.str();
  EXPECT_NE(out_.str().find("seed-4: "), std::string::npos) << out_.str();
  const Result<Corpus> corpus = load_corpus(folder_.string());
  ASSERT_TRUE(corpus.ok()) << corpus.error().message;
  EXPECT_EQ(corpus.value().scenarios.size(), 1u);
}

// A drawn fault may hit nothing, of which a scenario makes a failure.
bool has_refused_faults(std::uint64_t seed) {
  const scenario::Scenario drawn = draw(seed);
  scenario::FaultCourse course;
  scenario::VirtualRunOptions options;
  options.skips_refused_faults = true;
  options.faults = &course;
  scenario::run_virtual(drawn, options);
  return std::any_of(course.begin(), course.end(), [](const auto& fault) {
    return std::find(fault.second.begin(), fault.second.end(), false) != fault.second.end();
  });
}

TEST_F(Explore, WhatIsWrittenPassesAsTheSeedDoes) {
  std::size_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ExploreOptions options;
    options.seed = seed;
    options.write = (folder_ / std::to_string(seed)).string();
    ASSERT_EQ(explore(options), 0) << seed << ": " << err_.str();
    if (has_refused_faults(seed)) ++refused;
    const std::string file = options.write + "/scenario.yaml";
    const scenario::Loaded loaded = scenario::load(file);
    ASSERT_TRUE(loaded.scenario) << seed << ": " << loaded.problems.front();
    scenario::Outcome outcome = scenario::run_virtual_twice(*loaded.scenario);
    ASSERT_TRUE(fs::exists(options.write + "/events.expected")) << seed;
    scenario::check_events(file, outcome);
    EXPECT_EQ(outcome.verdict, scenario::Verdict::kPass)
        << seed << ": " << (outcome.violations.empty() ? "" : outcome.violations.front().text);
  }
  EXPECT_GT(refused, 0u) << "no seed drew a fault that hits nothing: this test shows nothing";
}

TEST_F(Explore, WritesOverNoScenario) {
  ExploreOptions options;
  options.seed = 4;
  options.write = folder_.string();
  fs::create_directories(folder_);
  std::ofstream(folder_ / "scenario.yaml") << "mine\n";
  EXPECT_EQ(explore(options), 64);
  EXPECT_NE(err_.str().find("exists already"), std::string::npos) << err_.str();
  std::ifstream kept(folder_ / "scenario.yaml");
  std::string line;
  EXPECT_TRUE(std::getline(kept, line) && line == "mine");
}

TEST_F(Explore, OneSeedIsAnObjectForPrograms) {
  ExploreOptions options;
  options.seed = 4;
  options.json = true;
  EXPECT_EQ(explore(options), 0);
  EXPECT_TRUE(out_.str().starts_with("{\"seed\":4,\"name\":\"seed-4\",\"verdict\":0,"))
      << out_.str();
  EXPECT_EQ(err_.str(), "");
}

TEST_F(Explore, ShardsMergedAreTheWhole) {
  ExploreOptions options;
  options.campaign.seeds = 12;
  options.json = true;
  explore(options);
  const Report whole = report_from_json(out_.str(), "whole").take();
  std::vector<std::string> files;
  fs::create_directories(folder_);
  for (std::uint64_t shard = 1; shard <= 3; ++shard) {
    options.campaign.shard = shard;
    options.campaign.shards = 3;
    std::ostringstream result;
    explore_main(options, tell_, result, err_);
    files.push_back((folder_ / std::to_string(shard)).string());
    std::ofstream(files.back()) << result.str();
  }
  std::ostringstream result;
  EXPECT_EQ(merge_main(files, false, true, tell_, result, err_), 0);
  const Report merged = report_from_json(result.str(), "merged").take();
  EXPECT_EQ(merged.seeds, whole.seeds);
  EXPECT_EQ(merged.coverage, whole.coverage);
  EXPECT_EQ(merged.evaluations, whole.evaluations);
}

// Thirty steps and more of a drawn scenario, and among them a page that the sender forgets.
TEST_F(Explore, AForgottenPageIsFoundAndMadeSmall) {
  const auto with_forgotten_page = [](std::uint64_t seed) {
    scenario::Scenario scenario = draw(seed);
    for (std::uint32_t node = 1; node <= scenario.topology.nodes; ++node) {
      scenario::Reaction forgets;
      forgets.when = scenario::parse_condition("migration(vm-1).state == Setup").take();
      forgets.times = 5;
      scenario::Inject inject;
      inject.order = fault::parse_order("forget-page node-" + std::to_string(node)).take();
      forgets.effect = inject;
      scenario.reactions.push_back(std::move(forgets));
    }
    return scenario;
  };
  CampaignOptions options;
  options.seeds = 60;
  options.stops_at_first = true;
  Worlds worlds;
  worlds.draw = with_forgotten_page;
  worlds.run = [](const scenario::Scenario& scenario, std::ostream* trace) {
    scenario::VirtualRunOptions run;
    run.trace_lines = trace;
    run.skips_refused_faults = true;
    run.stops_at_violation = true;
    return scenario::run_virtual(scenario, run);
  };
  worlds.replay = [](std::uint64_t seed) { return "seed " + std::to_string(seed); };
  std::optional<Minimised> smallest;
  worlds.save = [&smallest](const Minimised& found, const Failure&) {
    smallest = found;
    return std::string("saved");
  };
  const Report report = run_campaign(options, {}, worlds, err_);
  ASSERT_FALSE(report.failures.empty());
  EXPECT_EQ(report.failures.front().label, "S10");
  ASSERT_TRUE(smallest);
  // The migration, the page that is forgotten, and what the rest of the seed needs to get there.
  EXPECT_LE(report.failures.front().steps, 6u) << report.failures.front().steps;
  EXPECT_NE(find_violation(scenario::run_virtual(smallest->scenario), "S10"), nullptr);
}

}  // namespace
}  // namespace failsim::explore
