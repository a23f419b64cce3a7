#include <memory>

#include <gtest/gtest.h>

#include "one_member.h"
#include "raft_world.h"

namespace failsim::raft {
namespace {

pb::LogStart position(Index index, Term term) {
  pb::LogStart position;
  position.set_index(index);
  position.set_term(term);
  position.set_checksum(12345);
  return position;
}

class ThreeChunks : public SnapshotSource {
 public:
  explicit ThreeChunks(const pb::LogStart& position) : position_(position) {}
  pb::LogStart position() const override { return position_; }
  std::size_t chunk_count() const override { return 3; }
  std::string chunk(std::size_t number) const override { return std::to_string(number); }

 private:
  pb::LogStart position_;
};

WorldOptions compacting() {
  WorldOptions options;
  options.compact_every = 5;
  options.keep_entries = 2;
  return options;
}

void propose_many(RaftWorld& world, int count) {
  for (int i = 0; i < count; ++i) {
    world.propose(world.elect(), "command");
    world.run_for(5 * kMillisecond);
  }
}

// A follower of the leader dies, misses more than the log keeps, and comes back: this one.
NodeId fall_behind(RaftWorld& world, NodeId leader) {
  const NodeId late = leader % 3 + 1;
  world.crash(late);
  propose_many(world, 40);
  world.start(late);
  return late;
}

// A ready leader whose follower 2 needs entries that are compacted.
struct Restorer : OneMember {
  Restorer() {
    lead();
    sync();
    receive(3, 1, append_reply(1, last_round(3)));
    for (int i = 0; i < 5; ++i) raft.propose(now, "command", out);
    sync();
    receive(3, 1, append_reply(6, last_round(3)));
    raft.compact(5, out);
    receive(2, 1, refusal(0, 1, last_round(2)));
  }
  std::vector<pb::RaftMessage> chunks() const {
    return of_kind(out.send_now, pb::RaftMessage::kSnapshot, 2);
  }
  void provide() {
    auto source = std::make_shared<ThreeChunks>(raft.position_of(6));
    raft.provide_snapshot(now, source, out);
  }
  void answer(std::uint64_t next_chunk, bool installed = false) {
    pb::RaftMessage message;
    message.mutable_snapshot_reply()->set_last_index(6);
    message.mutable_snapshot_reply()->set_next_chunk(next_chunk);
    message.mutable_snapshot_reply()->set_installed(installed);
    message.mutable_snapshot_reply()->set_round(chunks().back().snapshot().round());
    receive(2, 1, message);
  }
};

TEST(RaftSnapshot, LateMemberIsRestored) {
  RaftWorld world(compacting());
  const NodeId leader = world.elect();
  fall_behind(world, leader);
  EXPECT_TRUE(world.spread(world.raft(leader).commit_index()));
  EXPECT_GE(world.snapshots_installed(), 1u);
  const auto index = world.propose(leader, "afterwards");
  EXPECT_TRUE(world.spread(*index));
}

TEST(RaftSnapshot, RestoredMemberKeepsItAfterARestart) {
  RaftWorld world(compacting());
  const NodeId leader = world.elect();
  const NodeId late = fall_behind(world, leader);
  EXPECT_TRUE(world.spread(world.raft(leader).commit_index()));
  world.run_for(kSecond);
  world.crash(late);
  world.start(late);
  EXPECT_EQ(world.applied(late), world.raft(late).commit_index());
  const auto index = world.propose(leader, "afterwards");
  EXPECT_TRUE(world.spread(*index));
}

TEST(RaftSnapshot, LostChunksAreSentAgain) {
  WorldOptions options = compacting();
  RaftWorld world(options);
  const NodeId leader = world.elect();
  fall_behind(world, leader);
  world.set_loss(300);
  world.run_for(20 * kSecond);
  world.set_loss(0);
  world.run_for(3 * kSecond);
  EXPECT_GE(world.snapshots_installed(), 1u);
  EXPECT_TRUE(world.spread(world.raft(world.elect()).commit_index()));
}

TEST(RaftSnapshot, LeaderAsksItsOwnerForOne) {
  Restorer leader;
  EXPECT_TRUE(leader.out.wants_snapshot);
  EXPECT_TRUE(leader.chunks().empty());
}

TEST(RaftSnapshot, ChunksGoOneByOneAndHeartbeatsGoOn) {
  Restorer leader;
  leader.provide();
  ASSERT_EQ(leader.chunks().size(), 1u);
  const std::size_t appends = leader.appends_to(2).size();
  leader.tick(leader.now + 100 * kMillisecond);
  EXPECT_EQ(leader.appends_to(2).size(), appends + 1);
  EXPECT_EQ(leader.chunks().size(), 1u);
  leader.answer(1);
  leader.answer(2);
  ASSERT_EQ(leader.chunks().size(), 3u);
  EXPECT_EQ(leader.chunks()[2].snapshot().data(), "2");
  EXPECT_TRUE(leader.chunks()[2].snapshot().last_chunk());
  leader.answer(3, true);
  EXPECT_EQ(leader.appends_to(2).back().append().previous_index(), 6u);
}

TEST(RaftSnapshot, RepeatedAnswerMovesTheStreamOnce) {
  Restorer leader;
  leader.provide();
  pb::RaftMessage first;
  first.mutable_snapshot_reply()->set_last_index(6);
  first.mutable_snapshot_reply()->set_next_chunk(1);
  first.mutable_snapshot_reply()->set_round(leader.chunks()[0].snapshot().round());
  leader.receive(2, 1, first);
  leader.receive(2, 1, first);
  EXPECT_EQ(leader.chunks().size(), 2u);
}

TEST(RaftSnapshot, ChunkIsRepeatedWhenNotAnswered) {
  Restorer leader;
  leader.provide();
  for (int i = 1; i <= 5; ++i) {
    leader.tick(leader.now + 100 * kMillisecond);
    for (const NodeId id : {2u, 3u}) {
      leader.receive(id, 1, OneMember::append_reply(0, leader.last_round(id)));
    }
  }
  ASSERT_EQ(leader.chunks().size(), 2u);
  EXPECT_EQ(leader.chunks()[1].snapshot().chunk(), 0u);
}

TEST(RaftSnapshot, NobodyStreamsToASilentFollower) {
  Restorer leader;
  leader.provide();
  leader.out.wants_snapshot = false;
  for (int i = 1; i <= 20; ++i) {
    leader.tick(leader.now + 100 * kMillisecond);
    leader.receive(3, 1, OneMember::append_reply(6, leader.last_round(3)));
  }
  EXPECT_EQ(leader.chunks().size(), 1u);
  EXPECT_FALSE(leader.out.wants_snapshot);
  leader.receive(2, 1, OneMember::append_reply(0, leader.last_round(2)));
  leader.tick(leader.now + 100 * kMillisecond);
  EXPECT_TRUE(leader.out.wants_snapshot) << "it is back";
}

TEST(RaftSnapshot, CompactionWaitsForTheFollowerBeingRestored) {
  Restorer leader;
  leader.provide();
  leader.raft.propose(leader.now, "later", leader.out);
  leader.sync();
  leader.receive(3, 1, OneMember::append_reply(7, leader.last_round(3)));
  ASSERT_EQ(leader.raft.commit_index(), 7u);
  leader.raft.compact(7, leader.out);
  EXPECT_EQ(leader.raft.first_index(), 7u);
}

TEST(RaftSnapshot, LastChunkReplacesTheLog) {
  OneMember member(config_of(1), recovered_with({1, 1, 1}, 1));
  member.receive(2, 2, OneMember::snapshot(position(9, 2), 0, false, "a"));
  EXPECT_EQ(member.last_answer().snapshot_reply().next_chunk(), 1u);
  EXPECT_FALSE(member.out.snapshot.has_value());
  member.receive(2, 2, OneMember::snapshot(position(9, 2), 1, true, "b"));
  ASSERT_TRUE(member.out.snapshot.has_value());
  EXPECT_EQ(member.out.snapshot->chunks, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(member.out.durable.log_start->index(), 9u);
  EXPECT_TRUE(member.last_answer().snapshot_reply().installed());
  EXPECT_EQ(member.raft.commit_index(), 9u);
  EXPECT_EQ(member.raft.last_index(), 9u);
  EXPECT_EQ(member.raft.position_of(9).checksum(), 12345u);
}

TEST(RaftSnapshot, SurvivesAPreVoteInBetween) {
  OneMember member;
  member.receive(2, 2, OneMember::snapshot(position(9, 2), 0, false, "a"));
  member.time_out();
  EXPECT_EQ(member.raft.role(), Role::kPreCandidate);
  member.receive(2, 2, OneMember::snapshot(position(9, 2), 1, true, "b"));
  EXPECT_TRUE(member.out.snapshot.has_value());
  EXPECT_EQ(member.raft.role(), Role::kFollower);
}

TEST(RaftSnapshot, ChunksOfTwoLeadersAreNotMixed) {
  OneMember member;
  member.receive(2, 2, OneMember::snapshot(position(9, 2), 0, false, "a"));
  member.receive(3, 3, OneMember::snapshot(position(9, 2), 1, true, "z"));
  EXPECT_FALSE(member.out.snapshot.has_value());
  EXPECT_EQ(member.last_answer().snapshot_reply().next_chunk(), 0u);
}

TEST(RaftSnapshot, RepeatedChunkIsTakenOnce) {
  OneMember member;
  member.receive(2, 2, OneMember::snapshot(position(9, 2), 0, false, "a"));
  member.receive(2, 2, OneMember::snapshot(position(9, 2), 1, false, "b"));
  member.receive(2, 2, OneMember::snapshot(position(9, 2), 1, false, "b"));
  EXPECT_EQ(member.last_answer().snapshot_reply().next_chunk(), 2u);
}

TEST(RaftSnapshot, OlderThanTheCommitIndexIsNotInstalled) {
  OneMember member(config_of(1), recovered_with({1, 1, 1, 1}, 1));
  member.receive(2, 1, OneMember::append(4, 1, {}, 4));
  member.receive(2, 1, OneMember::snapshot(position(3, 1), 0, true, "old"));
  EXPECT_FALSE(member.out.snapshot.has_value());
  EXPECT_TRUE(member.last_answer().snapshot_reply().installed()) << "it has all of it";
  EXPECT_EQ(member.raft.commit_index(), 4u);
}

TEST(RaftSnapshot, AcknowledgedEntriesAfterItAreNotThrownAway) {
  OneMember member(config_of(1), recovered_with({1, 1, 1, 1}, 1));
  member.receive(2, 1, OneMember::snapshot(position(3, 1), 0, true, "known"));
  EXPECT_FALSE(member.out.snapshot.has_value());
  EXPECT_EQ(member.raft.last_index(), 4u);
  EXPECT_EQ(member.raft.commit_index(), 3u);
  EXPECT_EQ(member.out.committed.size(), 3u);
}

}  // namespace
}  // namespace failsim::raft
