// The fuzz target without a fuzzer: every truncation of a scenario that uses the whole language,
// and seeded random changes of it.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/file_content.h"
#include "tests/fuzz/target.h"

namespace failsim::scenario {
namespace {

void run(const std::string& input) {
  const std::vector<std::uint8_t> data(input.begin(), input.end());
  LLVMFuzzerTestOneInput(data.data(), data.size());
}

std::string example() {
  const std::string all = content_of(FAILSIM_SOURCE_DIR "/tools/scenario/README.md");
  const std::size_t begin = all.find("```yaml\n") + 8;
  return all.substr(begin, all.find("```\n", begin) - begin);
}

TEST(ScenarioFuzz, HoldsForEveryTruncation) {
  const std::string text = example();
  ASSERT_GT(text.size(), 500u);
  for (std::size_t size = 0; size <= text.size(); size += 3) run(text.substr(0, size));
}

TEST(ScenarioFuzz, HoldsForRandomChanges) {
  const std::string text = example();
  std::mt19937_64 random(1);
  for (int i = 0; i < 1500; ++i) {
    std::string changed = text;
    for (int changes = 0; changes < 3; ++changes) {
      const std::size_t at = random() % changed.size();
      constexpr char kTelling[] = "{}[]:-#&*!|>'\"%@`, \n\t0aZ~";
      const std::uint64_t dice = random() % 4;
      if (dice == 0) changed.erase(at, 1 + random() % 8);
      if (dice == 1) changed.insert(at, 1, kTelling[random() % (sizeof kTelling - 1)]);
      if (dice == 2) changed[at] = kTelling[random() % (sizeof kTelling - 1)];
      if (dice == 3) changed.insert(at, text.substr(random() % text.size(), random() % 40));
      if (changed.empty()) changed = text;
    }
    run(changed);
  }
}

}  // namespace
}  // namespace failsim::scenario
