#include "cluster/member/unwritten.h"

#include <gtest/gtest.h>

namespace failsim {
namespace {

TEST(Unwritten, TheOldestBatchIsTheOneThatWaits) {
  Unwritten unwritten(0);
  EXPECT_EQ(unwritten.oldest_waits(100), 0);
  EXPECT_EQ(unwritten.hand_over(10, 0), 1u);
  EXPECT_EQ(unwritten.hand_over(30, 0), 2u);
  EXPECT_EQ(unwritten.oldest_waits(100), 90);
  unwritten.written(1);
  EXPECT_EQ(unwritten.oldest_waits(100), 70);
  unwritten.written(2);
  EXPECT_EQ(unwritten.oldest_waits(100), 0);
}

TEST(Unwritten, WhatIsWrittenIsTheNewestMarkUpToThere) {
  Unwritten unwritten(0);
  unwritten.hand_over(0, 5);
  unwritten.hand_over(0, 6);
  unwritten.hand_over(0, 0);  // rows only
  unwritten.hand_over(0, 7);
  EXPECT_EQ(unwritten.written(3), 6u);
  EXPECT_EQ(unwritten.written(3), 0u);
  EXPECT_EQ(unwritten.written(4), 7u);
}

TEST(Unwritten, SyncedBatchesAreCountedOnFromWhatTheStoreHas) {
  Unwritten unwritten(40);
  DurableBatch rows;  // nothing that has to be synced
  unwritten.number(rows);
  EXPECT_EQ(unwritten.synced_then(), 40u);
  DurableBatch vote;
  vote.hard_state.emplace();
  ASSERT_TRUE(vote.needs_sync());
  unwritten.number(vote);
  EXPECT_EQ(vote.synced, 41u);
  unwritten.hand_over(0, 0);
  EXPECT_EQ(unwritten.synced(), 40u);
  unwritten.written(1);
  EXPECT_EQ(unwritten.synced(), 41u);
}

}  // namespace
}  // namespace failsim
