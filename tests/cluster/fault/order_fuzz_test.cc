// The fuzz target without a fuzzer: every truncation, and seeded random changes, of valid orders.
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/random.h"
#include "tests/fuzz/target.h"

namespace failsim {
namespace {

const std::vector<std::string> kCorpus = {
    "kill minority evidence=silent survivable for=1500ms",
    "link-delay node-1,node-2<->leader min=20ms max=80ms class=data",
    "link-loss owner(web)->volume share=2.5%",
    "clock-jump all by=-30s for=5min",
    "disk-fail node-64 error=ENOSPC after=64MiB",
    "failpoint round.3.end terms=1*off->20%delay(2s)->return(DROP)",
};

void run(std::string_view line) {
  // Each line at the exact size of its buffer.
  const std::vector<std::uint8_t> bytes(line.begin(), line.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

TEST(OrderFuzz, HoldsForEveryTruncation) {
  for (const std::string& line : kCorpus) {
    for (std::size_t size = 0; size <= line.size(); ++size) run(line.substr(0, size));
  }
}

TEST(OrderFuzz, HoldsForRandomChanges) {
  constexpr std::string_view kTelling = "->,()=%*.0123456789abmsGiB/ \t\0\xff";
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string line = kCorpus[random.below(kCorpus.size())];
    for (std::uint64_t changes = 1 + random.below(4); changes > 0 && !line.empty(); --changes) {
      const std::size_t at = random.below(line.size());
      const char drawn = kTelling[random.below(kTelling.size())];
      switch (random.below(4)) {
        case 0:
          line[at] = drawn;
          break;
        case 1:
          line.insert(at, 1, drawn);
          break;
        case 2:
          line.erase(at, 1 + random.below(4));
          break;
        default: {
          const std::string& other = kCorpus[random.below(kCorpus.size())];
          line = line.substr(0, at) + other.substr(random.below(other.size()));
        }
      }
    }
    run(line);
  }
}

}  // namespace
}  // namespace failsim
