// What seeds draw: always the same, all kinds of it, and writable as a scenario.

#include "tools/explore/draw.h"

#include <map>
#include <set>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "cluster/fault/kind.h"
#include "tools/scenario/lint.h"
#include "tools/scenario/yaml.h"

namespace failsim::explore {
namespace {

constexpr std::uint64_t kSeeds = 400;

const scenario::Inject* fault_of(const scenario::Effect& effect) {
  return std::get_if<scenario::Inject>(&effect);
}

TEST(Draw, ASeedAlwaysDrawsTheSame) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(scenario::to_yaml(draw(seed)), scenario::to_yaml(draw(seed)));
  }
  EXPECT_NE(scenario::to_yaml(draw(1)), scenario::to_yaml(draw(2)));
}

TEST(Draw, WhatIsDrawnReadsBackFromYaml) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const std::string text = scenario::to_yaml(draw(seed));
    const scenario::Reading reading = scenario::read_yaml(text);
    for (const scenario::Problem& problem : reading.problems) {
      ADD_FAILURE() << "seed " << seed << ": " << scenario::to_line("drawn", problem);
    }
    ASSERT_TRUE(reading.scenario);
    for (const scenario::Problem& problem : scenario::lint(*reading.scenario)) {
      ADD_FAILURE() << "seed " << seed << ": " << scenario::to_line("drawn", problem);
    }
    EXPECT_EQ(scenario::to_yaml(*reading.scenario), text) << "seed " << seed;
  }
}

TEST(Draw, TimesNeverFallAndEndWithTheSafetyPhase) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Time last = 0;
    for (const scenario::Step& step : draw(seed).steps) {
      ASSERT_TRUE(step.at);
      EXPECT_GE(*step.at, last) << "seed " << seed;
      last = *step.at;
    }
    EXPECT_LE(last, 40 * kSecond);
  }
}

// Every fault but the one that is a mistake of its own, and every size of a cluster.
TEST(Draw, EveryKindOfFaultAndClusterIsDrawnSometimes) {
  std::map<std::string, int> kinds;
  std::set<std::uint32_t> sizes;
  int damaged = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const scenario::Scenario drawn = draw(seed);
    sizes.insert(drawn.topology.nodes);
    damaged += drawn.left_broken.empty() ? 0 : 1;
    EXPECT_LT(2 * drawn.left_broken.size(), drawn.topology.nodes) << "seed " << seed;
    for (const scenario::Step& step : drawn.steps) {
      if (const auto* inject = fault_of(step.effect))
        ++kinds[std::string(inject->order.kind->name)];
    }
  }
  EXPECT_EQ(sizes, (std::set<std::uint32_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_GT(damaged, 50);
  for (const fault::Kind& kind : fault::kinds()) {
    if (!kind.in_virtual.is_performed) continue;
    // A lost page is a violation by design, and so may be what disks forget that lie.
    if (kind.name == "forget-page" || kind.name == "disk-lie") {
      EXPECT_EQ(kinds.count(std::string(kind.name)), 0u);
    } else {
      EXPECT_GT(kinds[std::string(kind.name)], 0) << kind.name;
    }
  }
}

// What a sequence heals or waits for is one fault of its own.
TEST(Draw, ManySeedsAreAboutSequences) {
  int with_sequences = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const scenario::Scenario drawn = draw(seed);
    std::set<std::string> labels;
    const auto note = [&](const scenario::Effect& effect) {
      const scenario::Inject* inject = fault_of(effect);
      if (inject == nullptr || inject->label.empty()) return;
      EXPECT_TRUE(labels.insert(inject->label).second) << seed << ": " << inject->label;
    };
    for (const scenario::Step& step : drawn.steps) note(step.effect);
    for (const scenario::Reaction& reaction : drawn.reactions) note(reaction.effect);
    if (labels.empty()) continue;
    ++with_sequences;
    EXPECT_GE(drawn.topology.nodes, 3u);
  }
  EXPECT_GT(with_sequences, static_cast<int>(kSeeds) / 8);
}

// A seed that knows only some kinds goes deeper than one that knows all.
TEST(Draw, ManySeedsKnowOnlyAFewKinds) {
  int few = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    std::set<std::string_view> kinds;
    for (const scenario::Step& step : draw(seed).steps) {
      if (const auto* inject = fault_of(step.effect)) kinds.insert(inject->order.kind->name);
    }
    few += kinds.size() <= 4 ? 1 : 0;
  }
  EXPECT_GT(few, static_cast<int>(kSeeds) / 10);
}

}  // namespace
}  // namespace failsim::explore
