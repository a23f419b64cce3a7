#include <memory>

#include <gtest/gtest.h>

#include "one_member.h"
#include "raft_world.h"

namespace failsim::raft {
namespace {

std::vector<EntryPtr> some_entries(std::initializer_list<Term> terms) {
  return recovered_with(terms, 1).entries;
}

TEST(RaftReplication, CommandIsAppliedEverywhere) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  const auto index = world.propose(leader, "create vm/web");
  ASSERT_TRUE(index.has_value());
  EXPECT_TRUE(world.spread(*index));
}

TEST(RaftReplication, FollowerRefusesProposals) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  EXPECT_FALSE(world.propose(leader % 3 + 1, "command").has_value());
}

TEST(RaftReplication, NewCommitIndexIsToldAtOnce) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  world.run_for(kSecond);
  const Time proposed = world.now();
  const auto index = world.propose(leader, "command");
  EXPECT_TRUE(world.spread(*index));
  // Two hops and a sync to commit, one more hop to tell: far below the heartbeat interval.
  EXPECT_LE(world.now() - proposed, 4 * kMillisecond);
}

TEST(RaftReplication, LeadersMessagesLeaveBeforeItsOwnWrite) {
  OneMember member;
  member.lead();
  EXPECT_EQ(member.appends_to(2).size(), 1u);
  EXPECT_EQ(member.appends_to(2)[0].append().entries_size(), 1);
}

TEST(RaftReplication, LeaderCountsItselfOnlyWhenStored) {
  OneMember member(config_of(1, 2));
  member.lead();
  member.receive(2, 1, OneMember::append_reply(1, member.last_round(2)));
  EXPECT_EQ(member.raft.commit_index(), 0u);
  member.sync();
  EXPECT_EQ(member.raft.commit_index(), 1u);
  EXPECT_TRUE(member.raft.leader_ready());
}

TEST(RaftReplication, QuorumOfFollowersCommitsWithoutTheLeadersDisk) {
  OneMember member;
  member.lead();
  member.all_follow();
  EXPECT_EQ(member.raft.commit_index(), 1u);
}

TEST(RaftReplication, AcknowledgementOfAnotherStoreDoesNotCount) {
  OneMember member;
  member.lead();
  member.sync();
  const auto reply = OneMember::append_reply(1, member.last_round(2));
  member.receive(2, 1, OneMember::from_store(7, reply));
  EXPECT_EQ(member.raft.commit_index(), 0u);
  member.receive(2, 1, reply);
  EXPECT_EQ(member.raft.commit_index(), 1u);
}

// The dissertation's figure 3.7: an entry of an older term on a quorum may still be replaced.
TEST(RaftReplication, EntriesOfOlderTermsAreNotCommittedByCounting) {
  OneMember member(config_of(1), recovered_with({1, 2}, 3));
  member.lead();
  member.sync();
  member.receive(2, 4, OneMember::append_reply(2, member.last_round(2)));
  EXPECT_EQ(member.raft.commit_index(), 0u);
  member.receive(2, 4, OneMember::append_reply(3, member.last_round(2)));
  EXPECT_EQ(member.raft.commit_index(), 3u);
  EXPECT_EQ(member.out.committed.size(), 3u);
}

TEST(RaftReplication, FollowerAcknowledgesWhatTheMessageProves) {
  OneMember member(config_of(1), recovered_with({1, 1, 1, 1}, 1));
  member.receive(2, 2, OneMember::append(1, 1, {recovered_with({1, 1}, 1).entries[1]}));
  EXPECT_EQ(member.last_answer().append_reply().match_index(), 2u);
  EXPECT_EQ(member.raft.last_index(), 4u) << "what it has beyond may be right";
  EXPECT_TRUE(OneMember::of_kind(member.out.send_now, pb::RaftMessage::kAppendReply).empty());
}

TEST(RaftReplication, FollowerCommitsWhatTheMessageProves) {
  OneMember member(config_of(1), recovered_with({1, 1, 1, 1}, 1));
  member.receive(2, 2, OneMember::append(2, 1, {}, 4));
  EXPECT_EQ(member.raft.commit_index(), 2u);
  member.receive(2, 2, OneMember::append(1, 1, {}, 4));
  EXPECT_EQ(member.raft.commit_index(), 2u) << "never back";
}

TEST(RaftReplication, ConflictIsAnsweredWithItsTermAndWhereItBegins) {
  OneMember member(config_of(1), recovered_with({1, 1, 3, 3, 3}, 3));
  member.receive(2, 6, OneMember::append(5, 5, {}));
  EXPECT_FALSE(member.last_answer().append_reply().success());
  EXPECT_EQ(member.last_answer().append_reply().conflict_term(), 3u);
  EXPECT_EQ(member.last_answer().append_reply().conflict_index(), 3u);
  member.receive(2, 6, OneMember::append(9, 5, {}));
  EXPECT_EQ(member.last_answer().append_reply().conflict_term(), 0u);
  EXPECT_EQ(member.last_answer().append_reply().conflict_index(), 6u);
}

TEST(RaftReplication, LeaderSkipsAWholeTermTheFollowerShouldNotHave) {
  OneMember member(config_of(1), recovered_with({1, 1, 4, 4, 5, 5}, 5));
  member.lead();
  member.receive(2, 6, OneMember::refusal(2, 3, member.last_round(2)));
  EXPECT_EQ(member.appends_to(2).back().append().previous_index(), 2u);
}

TEST(RaftReplication, LeaderGoesToTheEndOfATermBothHave) {
  OneMember member(config_of(1), recovered_with({1, 1, 4, 4, 5, 5}, 5));
  member.lead();
  member.receive(2, 6, OneMember::refusal(4, 3, member.last_round(2)));
  EXPECT_EQ(member.appends_to(2).back().append().previous_index(), 4u);
}

TEST(RaftReplication, RefusalOfAnEarlierMessageIsStale) {
  OneMember member(config_of(1), recovered_with({1, 1, 1, 1}, 1));
  member.lead();
  const std::uint64_t first = member.last_round(2);
  member.receive(2, 2, OneMember::refusal(0, 3, first));
  const std::size_t sent = member.appends_to(2).size();
  member.receive(2, 2, OneMember::refusal(0, 1, first));
  EXPECT_EQ(member.appends_to(2).size(), sent);
}

TEST(RaftReplication, ForeignTailIsReplaced) {
  OneMember member(config_of(1), recovered_with({1, 2, 2}, 2));
  Log log({}, {});
  log.append(1, "of term 1");
  const EntryPtr entry = log.append(3, "the leader's");
  member.receive(2, 3, OneMember::append(1, 1, {entry}, 2));
  EXPECT_EQ(member.out.durable.truncate_from, 2u);
  ASSERT_EQ(member.out.durable.append.size(), 1u);
  EXPECT_EQ(member.raft.last_index(), 2u);
  EXPECT_EQ(member.out.committed.size(), 2u);
}

TEST(RaftReplication, ReplacementWithinOneOutputLeavesOneBatch) {
  OneMember member;
  member.receive(2, 1, OneMember::append(0, 0, some_entries({1, 1, 1})));
  Log log({}, {});
  log.append(1, "of term 1");
  member.receive(3, 2, OneMember::append(1, 1, {log.append(2, "the leader's")}));
  ASSERT_EQ(member.out.durable.append.size(), 2u);
  EXPECT_EQ(member.out.durable.append[1]->term(), 2u);
  EXPECT_EQ(member.out.durable.truncate_from, 2u);
}

TEST(RaftReplication, DamagedEntryIsDroppedAndCounted) {
  OneMember member;
  auto entries = some_entries({1, 1});
  auto damaged = std::make_shared<pb::LogEntry>(*entries[0]);
  damaged->set_command("of term 7");
  member.receive(2, 1, OneMember::append(0, 0, {damaged, entries[1]}));
  EXPECT_EQ(member.raft.bad_appends(), 1u);
  EXPECT_EQ(member.raft.last_index(), 0u);
  EXPECT_TRUE(member.out.after.empty());
  member.receive(2, 1, OneMember::append(0, 0, entries));
  EXPECT_EQ(member.raft.last_index(), 2u);
}

TEST(RaftReplication, MessagesAreBoundedInBytes) {
  Config config = config_of(1);
  config.max_append_bytes = 3000;
  OneMember member(config);
  member.lead();
  for (int i = 0; i < 10; ++i) member.raft.propose(0, std::string(1000, 'x'), member.out);
  member.all_follow();
  for (const auto& message : member.appends_to(2)) EXPECT_LE(message.ByteSizeLong(), 3200u);
}

TEST(RaftReplication, MessagesInFlightAreBounded) {
  Config config = config_of(1);
  config.max_in_flight = 4;
  OneMember member(config);
  member.lead();
  member.all_follow();
  const std::size_t before = member.appends_to(2).size();
  for (int i = 0; i < 20; ++i) member.raft.propose(member.now, "command", member.out);
  EXPECT_EQ(member.appends_to(2).size(), before + 4);
  const auto oldest = member.appends_to(2)[before].append();
  member.receive(2, 1, OneMember::append_reply(oldest.previous_index() + 1, oldest.round()));
  const auto next = member.appends_to(2).back().append();
  EXPECT_EQ(next.entries_size(), 16) << "what waited goes in one message";
}

TEST(RaftReplication, UncommittedProposalsAreBounded) {
  Config config = config_of(1);
  config.max_uncommitted = 10;
  OneMember member(config);
  member.lead();
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(member.raft.propose(0, "command", member.out));
  EXPECT_FALSE(member.raft.propose(0, "command", member.out));
  member.all_follow();
  EXPECT_TRUE(member.raft.propose(0, "command", member.out));
}

TEST(RaftReplication, LostEntriesAreFoundByTheNextHeartbeat) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  world.run_for(kSecond);
  const NodeId deaf = leader % 3 + 1;
  world.cut(leader, deaf);
  world.propose(leader, "one");
  const auto index = world.propose(leader, "two");
  world.run_for(5 * kMillisecond);
  world.heal();
  EXPECT_TRUE(world.run_until([&] { return world.applied(deaf) == *index; }, 150 * kMillisecond));
}

TEST(RaftReplication, LongDivergenceIsMendedInFewMessages) {
  RaftWorld world({});
  const NodeId old_leader = world.elect();
  world.isolate(old_leader);
  for (int i = 0; i < 60; ++i) world.propose(old_leader, "never committed");
  world.run_until([&] { return world.ready_leader() != old_leader; });
  const NodeId leader = world.elect();
  ASSERT_NE(leader, old_leader);
  const auto index = world.propose(leader, "command");
  int messages = 0;
  world.set_filter([&](NodeId from, const Outgoing& outgoing) {
    if (from == leader && outgoing.to == old_leader) ++messages;
    return true;
  });
  world.run_for(kSecond);
  messages = 0;
  world.heal();
  EXPECT_TRUE(world.spread(*index));
  EXPECT_LE(messages, 6);
}

}  // namespace
}  // namespace failsim::raft
