#include "cluster/raft/persistence.h"

#include <gtest/gtest.h>

#include "one_member.h"
#include "raft_world.h"

namespace failsim::raft {
namespace {

TEST(Persistence, MarkCoversEverySmallerOne) {
  Persistence persistence(3);
  persistence.issue(4);
  const std::uint64_t second = persistence.issue(6);
  persistence.issue(9);
  EXPECT_EQ(persistence.durable_index(), 3u);
  persistence.persisted(second);
  EXPECT_EQ(persistence.durable_index(), 6u);
}

TEST(Persistence, ReplacedEntriesAreNotDurableByTheirPredecessors) {
  Persistence persistence(3);
  const std::uint64_t replaced = persistence.issue(9);
  persistence.truncate_from(5);
  const std::uint64_t replacement = persistence.issue(7);
  persistence.persisted(replaced);
  EXPECT_EQ(persistence.durable_index(), 4u);
  persistence.persisted(replacement);
  EXPECT_EQ(persistence.durable_index(), 7u);
}

TEST(RaftPersistence, AppliedEntriesAreNotReportedAgain) {
  Recovered recovered = recovered_with({1, 1, 1, 1}, 1);
  recovered.applied = 2;
  OneMember member(config_of(1), recovered);
  EXPECT_EQ(member.raft.commit_index(), 2u);
  member.receive(2, 1, OneMember::append(4, 1, {}, 4));
  ASSERT_EQ(member.out.committed.size(), 2u);
  EXPECT_EQ(member.out.committed[0]->index(), 3u);
}

TEST(RaftPersistence, NewTermIsStoredBeforeAnythingIsSaidInIt) {
  OneMember member;
  member.receive(2, 3, OneMember::append(0, 0, {}));
  EXPECT_EQ(member.out.durable.hard_state->term(), 3u);
  EXPECT_NE(member.out.mark, 0u);
  EXPECT_TRUE(member.out.send_now.empty());
  EXPECT_EQ(member.out.after.size(), 1u);
}

TEST(RaftPersistence, HeartbeatsWriteNothing) {
  OneMember member;
  member.receive(2, 3, OneMember::append(0, 0, {}));
  member.out = {};
  member.receive(2, 3, OneMember::append(0, 0, {}));
  EXPECT_TRUE(member.out.durable.empty());
  EXPECT_EQ(member.out.mark, 0u);
}

TEST(RaftPersistence, StalledDiskDelaysAcknowledgements) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  world.run_for(kSecond);
  for (NodeId id = 1; id <= 3; ++id) {
    if (id != leader) world.stall_disk(id, 200 * kMillisecond);
  }
  const auto index = world.propose(leader, "command");
  world.run_for(150 * kMillisecond);
  EXPECT_LT(world.raft(leader).commit_index(), *index);
  EXPECT_TRUE(world.spread(*index));
}

TEST(RaftPersistence, EverythingCommittedSurvivesAPowerCutOfAll) {
  WorldOptions options;
  options.compact_every = 7;
  RaftWorld world(options);
  Index index = 0;
  for (int i = 0; i < 20; ++i) index = *world.propose(world.elect(), "command");
  const NodeId leader = world.elect();
  EXPECT_TRUE(world.run_until([&] { return world.raft(leader).commit_index() >= index; }));
  for (NodeId id = 1; id <= 3; ++id) world.crash(id);
  for (NodeId id = 1; id <= 3; ++id) world.start(id);
  EXPECT_GE(world.raft(world.elect()).commit_index(), index);
  EXPECT_TRUE(world.spread(index));
}

// A, B, C; what A and B have acknowledged must not be lost because B's disk was replaced and votes
// for C.
TEST(RaftPersistence, BlankStoreIsNoVoter) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  const NodeId blank = leader % 3 + 1;
  const NodeId late = blank % 3 + 1;
  world.crash(late);
  const auto index = world.propose(leader, "acknowledged");
  EXPECT_TRUE(world.run_until([&] { return world.raft(leader).commit_index() == *index; }));
  world.crash(leader);
  world.crash(blank);
  world.format_store(blank);
  world.start(blank);
  world.start(late);
  world.run_for(20 * kSecond);
  EXPECT_EQ(world.ready_leader(), kNoNode);
  world.start(leader);
  EXPECT_EQ(world.elect(), leader);
  EXPECT_TRUE(world.run_until([&] { return world.applied(late) >= *index; }));
}

}  // namespace
}  // namespace failsim::raft
