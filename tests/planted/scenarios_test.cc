// The smallest scenarios with which the search has found the mistakes that can be planted. Where
// mistakes can be made, each of them breaks the invariant that the README begins with; without the
// mistake, in any build, it passes.

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/mistakes.h"
#include "tests/file_content.h"
#include "tools/scenario/virtual_run.h"
#include "tools/scenario/yaml.h"

namespace failsim::scenario {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(FAILSIM_SOURCE_DIR) / "tests/planted/scenarios";

// The folders are named after the mistakes.
std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.is_directory()) found.push_back(entry.path().filename());
  }
  std::sort(found.begin(), found.end());
  return found;
}

Scenario read(const std::string& name) {
  Reading reading = read_yaml(content_of(kFolder / name / "scenario.yaml"));
  EXPECT_TRUE(reading.scenario) << name;
  return *std::move(reading.scenario);
}

// As the search runs it.
Outcome run(const Scenario& scenario) {
  VirtualRunOptions options;
  options.skips_refused_faults = true;
  options.stops_at_violation = true;
  return run_virtual(scenario, options);
}

class PlantedScenario : public testing::TestWithParam<std::string> {};

TEST_P(PlantedScenario, PassesWithoutTheMistake) {
  Scenario scenario = read(GetParam());
  EXPECT_EQ(scenario.plant, GetParam());
  scenario.plant.clear();
  constexpr std::uint64_t kWorlds = 5;
  for (const std::uint64_t end = scenario.seed + kWorlds; scenario.seed < end; ++scenario.seed) {
    for (const invariants::Violation& violation : run(scenario).violations) {
      ADD_FAILURE() << "seed " << scenario.seed << ": " << violation.label << ": "
                    << violation.text;
    }
  }
}

#ifdef FAILSIM_PLANTED_MISTAKES

// With the delays that its seed draws, or, when the core has changed since, with those of another:
// what the scenario says is then still enough.
bool breaks(Scenario scenario, const std::string& label) {
  constexpr std::uint64_t kWorlds = 300;
  for (const std::uint64_t end = scenario.seed + kWorlds; scenario.seed < end; ++scenario.seed) {
    const std::vector<invariants::Violation> violations = run(scenario).violations;
    if (std::any_of(violations.begin(), violations.end(),
                    [&](const auto& violation) { return violation.label == label; })) {
      return true;
    }
  }
  return false;
}

// In a process of its own: an assertion of the core may come first.
TEST_P(PlantedScenario, BreaksItsInvariantWithTheMistake) {
  const std::string readme = content_of(kFolder / GetParam() / "README.md");
  const std::string label = readme.substr(0, readme.find(' '));
  const auto either = [](int status) {
    return testing::ExitedWithCode(1)(status) || testing::KilledBySignal(SIGABRT)(status);
  };
  EXPECT_EXIT(std::_Exit(breaks(read(GetParam()), label) ? 1 : 0), either, "");
}

TEST(PlantedScenarios, ThereIsOneForEachMistake) {
  const std::vector<std::string> found = names();
  for (const PlantedMistake& row : planted_mistakes()) {
    EXPECT_EQ(std::count(found.begin(), found.end(), row.name), 1) << row.name;
  }
  EXPECT_EQ(found.size(), planted_mistakes().size());
}

#endif

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Mistakes, PlantedScenario, testing::ValuesIn(names()), test_name);

}  // namespace
}  // namespace failsim::scenario
