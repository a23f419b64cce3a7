// Chaos finds every mistake that can be planted, from seeds nobody has chosen for it.

#include <csignal>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "cluster/mistakes.h"
#include "tools/sim/chaos.h"

namespace failsim::sim {
namespace {

constexpr std::uint64_t kSeedsAtMost = 3'000;

bool is_found(Mistakes mistakes) {
  ChaosConfig config;
  config.mistakes = mistakes;
  for (config.seed = 1; config.seed <= kSeedsAtMost; ++config.seed) {
    if (!run_chaos(config).violations.empty()) return true;
  }
  return false;
}

class Planted : public testing::TestWithParam<PlantedMistake> {};

// In a process of its own: an assertion of the core that fails has found the mistake, too.
TEST_P(Planted, IsFound) {
  const auto either = [](int status) {
    return testing::ExitedWithCode(1)(status) || testing::KilledBySignal(SIGABRT)(status);
  };
  EXPECT_EXIT(std::_Exit(is_found(Mistakes(GetParam().mistake)) ? 1 : 0), either, "");
}

std::string test_name(const testing::TestParamInfo<PlantedMistake>& info) {
  std::string name(info.param.name);
  for (char& character : name) {
    if (character == '-') character = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Mistakes, Planted, testing::ValuesIn(planted_mistakes()), test_name);

TEST(Planting, NothingIsFoundWhenNothingIsPlanted) {
  for (ChaosConfig config; config.seed <= 20; ++config.seed) {
    EXPECT_TRUE(run_chaos(config).violations.empty()) << config.seed;
  }
}

}  // namespace
}  // namespace failsim::sim
