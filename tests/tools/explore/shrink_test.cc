// Delta debugging: the few that matter are found, and nothing that can go stays.

#include "tools/explore/shrink.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace failsim::explore {
namespace {

using Positions = std::vector<std::size_t>;

bool holds_all(const Positions& kept, const Positions& needed) {
  return std::includes(kept.begin(), kept.end(), needed.begin(), needed.end());
}

TEST(Shrink, FindsTheElementsThatMatterTogether) {
  for (const Positions& needed : {Positions{0}, Positions{29}, Positions{3, 17, 28},
                                  Positions{0, 1, 2, 3}, Positions{0, 29}}) {
    const Positions kept =
        smallest_part(30, [&](const Positions& part) { return holds_all(part, needed); });
    EXPECT_EQ(kept, needed);
  }
}

TEST(Shrink, NothingIsLeftOfWhatFailsAnyway) {
  EXPECT_TRUE(smallest_part(12, [](const Positions&) { return true; }).empty());
  EXPECT_TRUE(smallest_part(0, [](const Positions&) { return true; }).empty());
}

TEST(Shrink, IsMinimalWhereElementsReplaceEachOther) {
  // Fails with any two even positions.
  const auto fails = [](const Positions& kept) {
    return std::count_if(kept.begin(), kept.end(), [](std::size_t at) { return at % 2 == 0; }) >= 2;
  };
  EXPECT_EQ(smallest_part(41, fails).size(), 2u);
}

TEST(Shrink, NeedsFewTries) {
  std::size_t tries = 0;
  smallest_part(1000, [&](const Positions& kept) {
    ++tries;
    return holds_all(kept, {123, 777});
  });
  EXPECT_LT(tries, 100u);
}

}  // namespace
}  // namespace failsim::explore
