#include <gtest/gtest.h>

#include "one_member.h"
#include "raft_world.h"

namespace failsim::raft {
namespace {

constexpr Duration kTimeout = 500 * kMillisecond;

TEST(RaftElection, ThreeMembersElectOneAndAgreeOnIt) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  world.run_for(kSecond);
  for (NodeId id = 1; id <= 3; ++id) EXPECT_EQ(world.raft(id).leader(), leader);
}

TEST(RaftElection, SingleVoterLeadsOnceItsVoteIsStored) {
  OneMember member(config_of(1, 1));
  member.time_out();
  EXPECT_EQ(member.raft.role(), Role::kCandidate);
  member.sync();
  EXPECT_TRUE(member.raft.leads());
  EXPECT_FALSE(member.raft.leader_ready());
  member.sync();
  EXPECT_TRUE(member.raft.leader_ready());
  EXPECT_EQ(member.raft.next_deadline(), kNever);
}

TEST(RaftElection, ElectionTimeIsDrawnFromTheTimeoutToTwice) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Config config = config_of(1);
    config.random_seed = seed;
    const OneMember member(config);
    EXPECT_GE(member.raft.next_deadline(), kTimeout);
    EXPECT_LT(member.raft.next_deadline(), 2 * kTimeout);
  }
}

TEST(RaftElection, PreVoteRaisesNoTermAndStoresNothing) {
  OneMember member;
  member.time_out();
  EXPECT_EQ(member.raft.role(), Role::kPreCandidate);
  EXPECT_EQ(member.raft.term(), 0u);
  EXPECT_TRUE(member.out.durable.empty());
  EXPECT_EQ(OneMember::of_kind(member.out.send_now, pb::RaftMessage::kPreVote).size(), 2u);
}

TEST(RaftElection, VoteRequestsWaitForTheCandidatesOwnVote) {
  OneMember member;
  member.time_out();
  member.receive(2, 0, OneMember::pre_vote_reply(1));
  EXPECT_EQ(member.raft.role(), Role::kCandidate);
  EXPECT_EQ(member.out.durable.hard_state->voted_for(), 1u);
  EXPECT_TRUE(OneMember::of_kind(member.out.send_now, pb::RaftMessage::kVote).empty());
  EXPECT_EQ(OneMember::of_kind(member.out.after, pb::RaftMessage::kVote).size(), 2u);
}

TEST(RaftElection, CandidateCountsItsOwnVoteOnlyWhenStored) {
  OneMember member;
  member.time_out();
  member.receive(2, 0, OneMember::pre_vote_reply(1));
  member.receive(2, 1, OneMember::vote_reply());
  EXPECT_EQ(member.raft.role(), Role::kCandidate);
  member.sync();
  EXPECT_TRUE(member.raft.leads());
}

TEST(RaftElection, AnEarlierWriteDoesNotMakeTheVoteCount) {
  OneMember member;
  member.receive(2, 1, OneMember::append(0, 0, {}));
  const std::uint64_t earlier = member.out.mark;
  member.time_out();
  member.receive(3, 1, OneMember::pre_vote_reply(2));
  member.receive(3, 2, OneMember::vote_reply());
  member.raft.persisted(member.now, earlier, member.out);
  EXPECT_EQ(member.raft.role(), Role::kCandidate);
  member.sync();
  EXPECT_TRUE(member.raft.leads());
}

TEST(RaftElection, VoteOfAnotherStoreDoesNotCount) {
  OneMember member;
  member.time_out();
  member.receive(2, 0, OneMember::from_store(7, OneMember::pre_vote_reply(1)));
  EXPECT_EQ(member.raft.role(), Role::kPreCandidate);
  member.receive(2, 0, OneMember::pre_vote_reply(1));
  member.sync();
  member.receive(3, 1, OneMember::from_store(7, OneMember::vote_reply()));
  EXPECT_EQ(member.raft.role(), Role::kCandidate);
  member.receive(3, 1, OneMember::vote_reply());
  EXPECT_TRUE(member.raft.leads());
}

TEST(RaftElection, StrangersAreIgnored) {
  OneMember member;
  member.receive(9, 50, OneMember::vote(100, 50));
  EXPECT_EQ(member.raft.term(), 0u);
  EXPECT_TRUE(member.out.after.empty());
}

TEST(RaftElection, StoreFormattedAnewNeverStandsForElection) {
  Config config = config_of(1);
  config.store_id = 77;
  OneMember member(config);
  EXPECT_EQ(member.raft.next_deadline(), kNever);
}

TEST(RaftElection, MemberVotesOnceATerm) {
  OneMember member;
  member.receive(2, 5, OneMember::vote(0, 0));
  EXPECT_TRUE(member.last_answer().vote_reply().granted());
  EXPECT_EQ(member.out.durable.hard_state->voted_for(), 2u);
  member.receive(3, 5, OneMember::vote(9, 4));
  EXPECT_FALSE(member.last_answer().vote_reply().granted());
  member.receive(2, 5, OneMember::vote(0, 0));
  EXPECT_TRUE(member.last_answer().vote_reply().granted()) << "the answer may have been lost";
  EXPECT_TRUE(OneMember::of_kind(member.out.send_now, pb::RaftMessage::kVoteReply).empty());
}

TEST(RaftElection, MemberRemembersItsVoteAfterARestart) {
  OneMember member(config_of(1), recovered_with({}, 5, 2));
  member.receive(3, 5, OneMember::vote(9, 4));
  EXPECT_FALSE(member.last_answer().vote_reply().granted());
  EXPECT_TRUE(member.out.durable.empty());
}

TEST(RaftElection, CandidateWithAnOlderLogGetsNoVote) {
  OneMember member(config_of(1), recovered_with({1, 2, 2}, 2));
  member.receive(2, 3, OneMember::vote(9, 1));
  EXPECT_FALSE(member.last_answer().vote_reply().granted());
  member.receive(2, 3, OneMember::vote(2, 2));
  EXPECT_FALSE(member.last_answer().vote_reply().granted());
  member.receive(3, 3, OneMember::vote(3, 2));
  EXPECT_TRUE(member.last_answer().vote_reply().granted());
}

TEST(RaftElection, PreVoteIsRefusedWhileALeaderIsHeard) {
  OneMember member;
  member.receive(2, 1, OneMember::append(0, 0, {}));
  const auto granted = [&] {
    member.receive(3, 1, OneMember::pre_vote(9, 1, 2));
    return member.out.send_now.back().message.pre_vote_reply().granted();
  };
  EXPECT_FALSE(granted());
  member.tick(kTimeout - 1);
  EXPECT_FALSE(granted());
  member.now = kTimeout;
  EXPECT_TRUE(granted());
}

TEST(RaftElection, PreVoteIsRefusedByALeader) {
  OneMember member;
  member.lead();
  member.receive(3, 1, OneMember::pre_vote(99, 1, 2));
  EXPECT_FALSE(member.out.send_now.back().message.pre_vote_reply().granted());
}

TEST(RaftElection, PreVoteReplyCarriesTheRealTerm) {
  OneMember member(config_of(1), recovered_with({}, 8));
  member.receive(2, 3, OneMember::pre_vote(100, 3, 4));
  const pb::RaftMessage reply = member.out.send_now.back().message;
  EXPECT_FALSE(reply.pre_vote_reply().granted());
  EXPECT_EQ(reply.term(), 8u);

  OneMember candidate(config_of(2), recovered_with({3, 3}, 3));
  candidate.time_out();
  candidate.receive(1, reply.term(), reply);
  EXPECT_EQ(candidate.raft.term(), 8u);
}

// Of two survivors one has the longer log and the other the higher term.
TEST(RaftElection, LongLogOfAnOldTermStillWins) {
  OneMember longer(config_of(1), recovered_with({1, 1, 1}, 1));
  OneMember higher(config_of(2), recovered_with({1}, 9));
  for (int attempt = 0; attempt < 3 && !longer.raft.leads(); ++attempt) {
    longer.time_out();
    const auto carry = [](OneMember& from, OneMember& to, NodeId sender) {
      const Output sent = std::exchange(from.out, {});
      if (sent.mark != 0) from.raft.persisted(from.now, sent.mark, from.out);
      for (const auto* list : {&sent.send_now, &sent.after}) {
        for (const Outgoing& outgoing : *list) {
          const bool addressed = outgoing.to == 3 - sender;
          if (addressed) to.receive(sender, outgoing.message.term(), outgoing.message);
        }
      }
    };
    for (int hop = 0; hop < 4; ++hop) {
      carry(longer, higher, 1);
      carry(higher, longer, 2);
    }
  }
  EXPECT_TRUE(longer.raft.leads());
  EXPECT_GT(longer.raft.term(), 9u);
}

TEST(RaftElection, IsolatedMemberComesBackWithoutDeposingTheLeader) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  const Term term = world.raft(leader).term();
  const NodeId lonely = leader % 3 + 1;
  world.isolate(lonely);
  world.run_for(20 * kSecond);
  EXPECT_EQ(world.raft(lonely).term(), term);
  world.heal();
  world.run_for(3 * kSecond);
  EXPECT_EQ(world.ready_leader(), leader);
  EXPECT_EQ(world.raft(leader).term(), term);
}

TEST(RaftElection, OneWayCutDoesNotDeposeTheLeaderForEver) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  const Term term = world.raft(leader).term();
  world.cut(leader, leader % 3 + 1);
  world.run_for(20 * kSecond);
  EXPECT_EQ(world.ready_leader(), leader);
  EXPECT_EQ(world.raft(leader).term(), term);
}

TEST(RaftElection, LeaderWithoutAQuorumStepsDownWithinTheTimeout) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  world.run_for(kSecond);
  world.isolate(leader);
  EXPECT_TRUE(world.raft(leader).has_quorum(world.now()));
  world.run_for(kTimeout);
  EXPECT_FALSE(world.raft(leader).leads());
  EXPECT_FALSE(world.raft(leader).has_quorum(world.now()));
  const NodeId next = world.elect();
  EXPECT_NE(next, leader);
}

TEST(RaftElection, StoppedLeaderStepsDownBeforeAnythingElse) {
  OneMember member;
  member.lead();
  member.all_follow();
  const Duration stopped = 60 * kSecond;
  member.tick(member.now + stopped, stopped);
  EXPECT_FALSE(member.raft.leads());
}

TEST(RaftElection, StoppedFollowerDoesNotBlameTheLeader) {
  OneMember member;
  member.receive(2, 1, OneMember::append(0, 0, {}));
  const Duration stopped = 60 * kSecond;
  member.tick(stopped, stopped);
  EXPECT_EQ(member.raft.role(), Role::kFollower);
  EXPECT_TRUE(member.raft.has_quorum(member.now));
  EXPECT_GT(member.raft.next_deadline(), stopped);
}

TEST(RaftElection, LeaderStepsDownWhenAsked) {
  RaftWorld world({});
  const NodeId leader = world.elect();
  world.step_down(leader);
  EXPECT_FALSE(world.raft(leader).leads());
  world.elect();
}

TEST(RaftElection, DeposedLeaderLearnsTheTermFromARefusal) {
  OneMember member;
  member.lead();
  member.receive(2, 7, OneMember::refusal(0, 0, 0));
  EXPECT_FALSE(member.raft.leads());
  EXPECT_EQ(member.raft.term(), 7u);
}

TEST(RaftElection, OldLeaderIsToldTheTerm) {
  OneMember member(config_of(1), recovered_with({}, 4));
  member.receive(2, 3, OneMember::append(0, 0, {}));
  EXPECT_EQ(member.last_answer().term(), 4u);
  EXPECT_FALSE(member.last_answer().append_reply().success());
  EXPECT_EQ(member.raft.leader(), kNoNode);
}

TEST(RaftElection, TickingMoreOftenChangesNothing) {
  const auto history = [](Duration extra_tick_every) {
    WorldOptions options;
    options.members = 5;
    options.extra_tick_every = extra_tick_every;
    RaftWorld world(options);
    for (int i = 0; i < 20; ++i) {
      const NodeId leader = world.elect();
      world.propose(leader, "command");
      world.run_for(300 * kMillisecond);
      if (i == 10) world.crash(leader);
    }
    return world.history();
  };
  EXPECT_EQ(history(0), history(kMillisecond));
}

}  // namespace
}  // namespace failsim::raft
