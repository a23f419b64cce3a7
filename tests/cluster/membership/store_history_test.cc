#include "cluster/membership/store_history.h"

#include <gtest/gtest.h>

namespace failsim {
namespace {

constexpr Incarnation process(std::uint64_t start, std::uint32_t instance) {
  return start << 32 | instance;
}

// Three starts: the first process left 5 synced batches, the second 7.
const StoreHistory kHistory(process(3, 33), {{11, 0}, {22, 5}, {33, 7}});

TEST(StoreHistory, HoldsWhatItsFormerProcessesHadSynced) {
  EXPECT_TRUE(kHistory.holds({process(1, 11), 5}));
  EXPECT_TRUE(kHistory.holds({process(2, 22), 0}));
  EXPECT_TRUE(kHistory.holds({process(2, 22), 7}));
  EXPECT_TRUE(kHistory.holds({process(3, 33), 100})) << "itself";
}

TEST(StoreHistory, DoesNotHoldAProcessOfAnotherCopyWhateverItsNumber) {
  EXPECT_FALSE(kHistory.holds({process(2, 99), 0}));
  EXPECT_FALSE(kHistory.holds({process(3, 99), 0}));
  EXPECT_FALSE(kHistory.holds({process(4, 44), 0}));
}

TEST(StoreHistory, DoesNotHoldMoreThanIsThere) {
  EXPECT_FALSE(kHistory.holds({process(1, 11), 6}));
  EXPECT_FALSE(kHistory.holds({process(2, 22), 8}));
}

// The second process had found 9 batches, of which the disk has lost some since.
TEST(StoreHistory, DoesNotHoldWhatWasLostLater) {
  const StoreHistory lossy(process(3, 33), {{11, 0}, {22, 9}, {33, 7}});
  EXPECT_TRUE(lossy.holds({process(1, 11), 7}));
  EXPECT_FALSE(lossy.holds({process(1, 11), 8}));
}

TEST(StoreHistory, NamesTheProcessBeforeIt) {
  EXPECT_EQ(kHistory.former().process, process(2, 22));
  EXPECT_EQ(kHistory.former().synced, 7u);
  EXPECT_EQ(StoreHistory(process(1, 11), {{11, 0}}).former().process, 0u);
}

}  // namespace
}  // namespace failsim
