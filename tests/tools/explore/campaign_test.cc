// A campaign runs its seeds once each, whoever runs them, and tells what failed.

#include "tools/explore/campaign.h"

#include <atomic>
#include <mutex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace failsim::explore {
namespace {

// Worlds in which every seventh seed fails, and the corpus never.
class Imagined {
 public:
  Worlds worlds() {
    Worlds worlds;
    worlds.draw = [](std::uint64_t seed) {
      scenario::Scenario scenario;
      scenario.name = "seed-" + std::to_string(seed);
      scenario.seed = seed;
      return scenario;
    };
    worlds.run = [this](const scenario::Scenario& scenario, std::ostream* trace) {
      return run(scenario, trace);
    };
    worlds.replay = [](std::uint64_t seed) { return "replay " + std::to_string(seed); };
    return worlds;
  }
  const std::multiset<std::uint64_t>& seeds() const { return seeds_; }
  bool is_fickle = false;  // no two runs are alike

 private:
  scenario::Outcome run(const scenario::Scenario& scenario, std::ostream* trace) {
    const std::lock_guard lock(mutex_);
    seeds_.insert(scenario.seed);
    scenario::Outcome outcome;
    outcome.duration = kSecond;
    outcome.trace_hash = scenario.seed;
    if (is_fickle) outcome.trace_hash += seeds_.size();
    if (trace != nullptr) {
      *trace << "begin\nmiddle\nrun " << (is_fickle ? seeds_.size() : 0) << "\nend\n";
    }
    if (scenario.seed % 7 == 0) outcome.add("S1", "two execute", kSecond);
    outcome.add("inject", "the node was dead");
    outcome.coverage["fault kill"] = 1;
    return outcome;
  }

  std::mutex mutex_;
  std::multiset<std::uint64_t> seeds_;
};

CampaignOptions hundred() {
  CampaignOptions options;
  options.first_seed = 1;
  options.seeds = 100;
  options.jobs = 3;
  options.twice_every = 1000;
  return options;
}

TEST(Campaign, RunsEverySeedOnceAndTellsWhatFailed) {
  Imagined imagined;
  std::ostringstream err;
  const Report report = run_campaign(hundred(), {}, imagined.worlds(), err);
  EXPECT_EQ(report.seeds, 100u);
  EXPECT_EQ(imagined.seeds().size(), 100u);
  EXPECT_EQ(report.failures.size(), 14u);
  EXPECT_EQ(report.failures.front().seed, 7u);
  EXPECT_EQ(report.failures.front().label, "S1");
  EXPECT_EQ(report.failures.front().replay, "replay 7");
  EXPECT_EQ(report.coverage.at("fault kill"), 100u);
  EXPECT_EQ(exit_status(report, false), 1);
}

TEST(Campaign, AFaultThatHitNothingIsNoFailure) {
  Imagined imagined;
  CampaignOptions options = hundred();
  options.seeds = 6;
  std::ostringstream err;
  const Report report = run_campaign(options, {}, imagined.worlds(), err);
  EXPECT_TRUE(report.failures.empty());
  EXPECT_EQ(report.coverage.at("violation inject"), 6u);
}

TEST(Campaign, ShardsShareTheSeeds) {
  std::multiset<std::uint64_t> all;
  for (std::uint64_t shard = 1; shard <= 3; ++shard) {
    Imagined imagined;
    CampaignOptions options = hundred();
    options.shard = shard;
    options.shards = 3;
    std::ostringstream err;
    run_campaign(options, {}, imagined.worlds(), err);
    all.insert(imagined.seeds().begin(), imagined.seeds().end());
  }
  EXPECT_EQ(all.size(), 100u);
  EXPECT_EQ(std::set<std::uint64_t>(all.begin(), all.end()).size(), 100u);
}

TEST(Campaign, TheCorpusRunsFirst) {
  Imagined imagined;
  CampaignOptions options = hundred();
  options.seeds = 1;
  options.jobs = 1;
  std::vector<scenario::Scenario> corpus(3);
  for (scenario::Scenario& scenario : corpus) scenario.seed = 8;
  std::ostringstream err;
  const Report report = run_campaign(options, corpus, imagined.worlds(), err);
  EXPECT_EQ(report.corpus, 3u);
  EXPECT_EQ(report.seeds, 1u);
}

TEST(Campaign, StopsAtTheFirstFailureIfAsked) {
  Imagined imagined;
  CampaignOptions options = hundred();
  options.jobs = 1;
  options.stops_at_first = true;
  std::ostringstream err;
  const Report report = run_campaign(options, {}, imagined.worlds(), err);
  EXPECT_EQ(report.seeds, 7u);
  EXPECT_EQ(report.failures.size(), 1u);
}

TEST(Campaign, ASpentBudgetEndsIt) {
  Imagined imagined;
  CampaignOptions options = hundred();
  options.seeds.reset();
  options.budget = std::chrono::nanoseconds(1);
  std::ostringstream err;
  EXPECT_LE(run_campaign(options, {}, imagined.worlds(), err).seeds, 3u);
}

TEST(Campaign, EachLabelIsMinimisedOnce) {
  Imagined imagined;
  Worlds worlds = imagined.worlds();
  std::atomic<int> saved = 0;
  worlds.save = [&](const Minimised&, const Failure&) {
    ++saved;
    return std::string("kept/S1");
  };
  std::ostringstream err;
  const Report report = run_campaign(hundred(), {}, worlds, err);
  EXPECT_EQ(saved, 1);
  int told = 0;
  for (const Failure& failure : report.failures) told += failure.saved.empty() ? 0 : 1;
  EXPECT_EQ(told, 1);
}

TEST(Campaign, TwoRunsThatDifferAreShownWhereTheyPart) {
  Imagined imagined;
  imagined.is_fickle = true;
  CampaignOptions options = hundred();
  options.seeds = 1;
  options.twice_every = 1;
  std::ostringstream err;
  const Report report = run_campaign(options, {}, imagined.worlds(), err);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(exit_status(report, false), 4);
  std::ostringstream shown;
  EXPECT_TRUE(show_divergence(imagined.worlds().draw(1), imagined.worlds(), shown));
  EXPECT_NE(shown.str().find("differ from step 3 on"), std::string::npos) << shown.str();
  EXPECT_NE(shown.str().find("  middle\n> run 3"), std::string::npos) << shown.str();
  EXPECT_NE(shown.str().find("  middle\n> run 4"), std::string::npos) << shown.str();
}

TEST(Campaign, RunsThatAgreeShowNothing) {
  Imagined imagined;
  std::ostringstream shown;
  EXPECT_FALSE(show_divergence(imagined.worlds().draw(1), imagined.worlds(), shown));
  EXPECT_EQ(shown.str(), "");
}

}  // namespace
}  // namespace failsim::explore
