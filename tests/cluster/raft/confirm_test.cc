#include <gtest/gtest.h>

#include "one_member.h"
#include "raft_world.h"

namespace failsim::raft {
namespace {

TEST(RaftConfirm, FollowerRefusesAtOnce) {
  OneMember member;
  member.raft.confirm(0, 42, member.out);
  EXPECT_EQ(member.out.confirm_failed, std::vector<std::uint64_t>{42});
}

TEST(RaftConfirm, SingleVoterConfirmsAtOnceWhenReady) {
  OneMember member(config_of(1, 1));
  member.time_out();
  member.sync();
  member.raft.confirm(member.now, 1, member.out);
  EXPECT_TRUE(member.out.confirmed.empty());
  member.sync();
  EXPECT_EQ(member.out.confirmed, std::vector<std::uint64_t>{1});
  member.raft.confirm(member.now, 2, member.out);
  EXPECT_EQ(member.out.confirmed.size(), 2u);
}

TEST(RaftConfirm, EchoOfAnEarlierMessageProvesNothing) {
  OneMember member;
  member.lead();
  member.sync();
  member.all_follow();
  const std::uint64_t before = member.last_round(2);
  member.raft.confirm(member.now, 42, member.out);
  member.receive(2, 1, OneMember::append_reply(1, before));
  EXPECT_TRUE(member.out.confirmed.empty());
  member.receive(3, 1, OneMember::append_reply(1, member.last_round(3)));
  EXPECT_EQ(member.out.confirmed, std::vector<std::uint64_t>{42});
}

TEST(RaftConfirm, LeaderThatIsNotReadyWaits) {
  OneMember member;
  member.lead();
  member.raft.confirm(member.now, 42, member.out);
  member.receive(2, 1, OneMember::append_reply(0, member.last_round(2)));
  EXPECT_TRUE(member.out.confirmed.empty());
  member.sync();
  member.receive(2, 1, OneMember::append_reply(1, member.last_round(2)));
  EXPECT_TRUE(member.raft.leader_ready());
  member.receive(2, 1, OneMember::append_reply(1, member.last_round(2)));
  EXPECT_EQ(member.out.confirmed, std::vector<std::uint64_t>{42});
}

TEST(RaftConfirm, RequestsDuringARoundShareTheNextOne) {
  OneMember member;
  member.lead();
  member.sync();
  member.all_follow();
  member.raft.confirm(member.now, 1, member.out);
  const std::uint64_t first = member.last_round(2);
  const std::size_t sent = member.appends_to(2).size();
  for (std::uint64_t nonce = 2; nonce < 100; ++nonce) {
    member.raft.confirm(member.now, nonce, member.out);
  }
  EXPECT_EQ(member.appends_to(2).size(), sent);
  member.receive(2, 1, OneMember::append_reply(1, first));
  EXPECT_EQ(member.out.confirmed, std::vector<std::uint64_t>{1});
  EXPECT_EQ(member.appends_to(2).size(), sent + 1);
  member.receive(2, 1, OneMember::append_reply(1, member.last_round(2)));
  EXPECT_EQ(member.out.confirmed.size(), 99u);
}

TEST(RaftConfirm, LosingLeadershipRefusesEverythingWaiting) {
  OneMember member;
  member.lead();
  member.sync();
  member.all_follow();
  member.raft.confirm(member.now, 1, member.out);
  member.raft.confirm(member.now, 2, member.out);
  member.receive(3, 9, OneMember::vote(99, 8));
  EXPECT_EQ(member.out.confirm_failed, (std::vector<std::uint64_t>{1, 2}));
}

TEST(RaftConfirm, LostRoundIsMadeUpForByTheNextHeartbeat) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  world.run_for(kSecond);
  world.isolate(leader);
  world.confirm(leader, 42);
  world.run_for(20 * kMillisecond);
  world.heal();
  EXPECT_TRUE(world.run_until([&] { return world.is_confirmed(42); }, 150 * kMillisecond));
}

TEST(RaftConfirm, DeposedLeaderIsNeverConfirmed) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  world.run_for(kSecond);
  world.isolate(leader);
  world.confirm(leader, 42);
  world.run_for(5 * kSecond);
  EXPECT_TRUE(world.is_refused(42));
}

}  // namespace
}  // namespace failsim::raft
