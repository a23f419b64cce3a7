#include <gtest/gtest.h>

#include "tests/cluster/member/member_cluster.h"

namespace failsim {
namespace {

constexpr Duration kDetection = 750 * kMillisecond;

class FailoverStory : public testing::Test {
 protected:
  FailoverStory() {
    for (const NodeId owner : {1u, 2u, 3u}) {
      cluster.create_vm("vm" + std::to_string(owner), owner);
    }
    cluster.run_for(kSecond);
    victim = cluster.leader() == 1 ? 2 : 1;
    vm = "vm" + std::to_string(victim);
  }
  bool runs_elsewhere() {
    if (cluster.leader() == kNoNode) return false;
    const NodeId owner = cluster.state().vm(vm)->owner();
    return owner != victim && cluster.executes(owner, vm);
  }

  MemberCluster cluster{3};
  NodeId victim = 0;
  std::string vm;
};

TEST_F(FailoverStory, ASilentOwnerLosesItsVmsOnlyWhenItsLeaseIsOver) {
  cluster.cut(victim, 1);
  cluster.cut(victim, 2);
  cluster.cut(victim, 3);
  const Time cut_at = cluster.now();
  bool overlap = false;
  ASSERT_TRUE(cluster.run_until([&] {
    overlap = overlap || (runs_elsewhere() && cluster.executes(victim, vm));
    return runs_elsewhere();
  }));
  EXPECT_FALSE(overlap);
  EXPECT_GE(cluster.now() - cut_at, kDetection / 2);
  EXPECT_FALSE(cluster.executes(victim, vm));
}

TEST_F(FailoverStory, EvidenceReplacesTheWait) {
  cluster.kill(victim);
  const Time killed_at = cluster.now();
  cluster.evidence(victim);
  ASSERT_TRUE(cluster.run_until([&] { return runs_elsewhere(); }));
  EXPECT_LT(cluster.now() - killed_at, 100 * kMillisecond);
}

TEST_F(FailoverStory, ADeadLeaderIsReplacedAndItsVmsRestart) {
  victim = cluster.leader();
  vm = "vm" + std::to_string(victim);
  cluster.kill(victim);
  cluster.evidence(victim);
  ASSERT_TRUE(cluster.run_until([&] { return runs_elsewhere(); }));
}

TEST_F(FailoverStory, AnIsolatedNodeThatComesBackKeepsItsVmsIfNobodyTookThem) {
  cluster.cut(victim, 1);
  cluster.cut(victim, 2);
  cluster.cut(victim, 3);
  cluster.run_for(300 * kMillisecond);
  cluster.heal();
  cluster.run_for(kSecond);
  EXPECT_EQ(cluster.state().vm(vm)->owner(), victim);
  EXPECT_TRUE(cluster.executes(victim, vm));
}

TEST_F(FailoverStory, AnOwnerThatIsHeardAndHearsNobodyLosesItsVms) {
  for (const NodeId other : {1u, 2u, 3u}) cluster.cut_one_way(other, victim);
  bool overlap = false;
  ASSERT_TRUE(cluster.run_until([&] {
    overlap = overlap || (runs_elsewhere() && cluster.executes(victim, vm));
    return runs_elsewhere();
  }));
  EXPECT_FALSE(overlap);
  EXPECT_EQ(cluster.state().node(victim)->state(), pb::NODE_DOWN);
  cluster.heal();
  ASSERT_TRUE(
      cluster.run_until([&] { return cluster.state().node(victim)->state() == pb::NODE_UP; }));
}

TEST_F(FailoverStory, ANodeThatHearsNobodyKeepsNobodyDown) {
  const NodeId leader = cluster.leader();
  const NodeId third = 6 - leader - victim;
  cluster.cut(third, leader);
  cluster.cut(third, victim);
  ASSERT_TRUE(
      cluster.run_until([&] { return cluster.state().node(third)->state() == pb::NODE_DOWN; }));
  cluster.heal();
  for (const NodeId other : {1u, 2u, 3u}) cluster.cut_one_way(other, victim);
  ASSERT_TRUE(cluster.run_until([&] {
    return cluster.leader() != kNoNode && cluster.state().node(third)->state() == pb::NODE_UP &&
           cluster.state().node(victim)->state() == pb::NODE_DOWN;
  }));
}

TEST_F(FailoverStory, AnOwnerThatDoesNotHearTheLeaderLosesItsVmsOnce) {
  cluster.cut_one_way(cluster.leader(), victim);
  ASSERT_TRUE(cluster.run_until([&] { return runs_elsewhere(); }));
  // Everybody hears it, yet it stays Down: what the leader says does not reach it.
  cluster.run_for(10 * kSecond);
  EXPECT_EQ(cluster.state().node(victim)->state(), pb::NODE_DOWN);
  EXPECT_EQ(cluster.events("owner").size(), 1u);
}

// With an election timeout longer than a lease a leader outlives the leases of everybody. Those are
// its own fault: it takes nobody down for them.
TEST_F(FailoverStory, ALeaderWhoseOwnLeaseRanOutTakesNobodyDown) {
  cluster.set("cluster", "", "LogElectionTimeout", Value::dword(3000));
  for (const NodeId node : {1u, 2u, 3u}) cluster.kill(node);
  for (const NodeId node : {1u, 2u, 3u}) cluster.restart(node);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode; }));
  cluster.run_for(2 * kSecond);
  const NodeId leader = cluster.leader();
  const std::size_t changes = cluster.events("node-state").size();
  cluster.cut(1, 2);
  cluster.cut(1, 3);
  cluster.cut(2, 3);
  cluster.run_for(1500 * kMillisecond);
  EXPECT_FALSE(cluster.executes(victim, vm));
  cluster.heal();
  cluster.run_for(2 * kSecond);
  EXPECT_EQ(cluster.leader(), leader);
  EXPECT_EQ(cluster.events("node-state").size(), changes);
}

TEST_F(FailoverStory, ARestartedProcessInheritsNothingUntilItIsGranted) {
  const std::uint64_t epoch = cluster.state().vm(vm)->epoch().counter();
  cluster.kill(victim);
  cluster.restart(victim);
  EXPECT_FALSE(cluster.executes(victim, vm));
  ASSERT_TRUE(cluster.run_until([&] {
    const NodeId owner = cluster.state().vm(vm)->owner();
    return cluster.state().vm(vm)->epoch().counter() > epoch && cluster.executes(owner, vm);
  }));
}

TEST_F(FailoverStory, WithoutAQuorumGuestsAreFrozenWhenTheLeaseIsOver) {
  cluster.cut(1, 2);
  cluster.cut(1, 3);
  cluster.cut(2, 3);
  cluster.run_for(2 * kSecond);
  for (const NodeId node : {1u, 2u, 3u}) {
    EXPECT_FALSE(cluster.executes(node, "vm" + std::to_string(node)));
  }
  cluster.heal();
  ASSERT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode; }));
  cluster.run_for(kSecond);
  for (const NodeId node : {1u, 2u, 3u}) {
    EXPECT_TRUE(cluster.executes(node, "vm" + std::to_string(node)));
    EXPECT_EQ(cluster.state().vm("vm" + std::to_string(node))->owner(), node);
  }
}

TEST_F(FailoverStory, TheWholeClusterRestartsAndTheVmsThatRanRunAgain) {
  for (const NodeId node : {1u, 2u, 3u}) cluster.kill(node);
  for (const NodeId node : {1u, 2u, 3u}) cluster.restart(node);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode; }));
  ASSERT_TRUE(cluster.run_until([&] {
    for (const auto& [name, row] : cluster.state().vms()) {
      if (!cluster.executes(row->owner(), name)) return false;
    }
    return true;
  }));
}

// Nobody reports the death of the first process, and the second one is silent again when the next
// leader is elected: that the others have heard of it must not keep the node Up.
TEST(FailoverOfFive, ANewProcessThatIsSilentAgainDoesNotKeepItsNodeUp) {
  MemberCluster cluster(5);
  const NodeId first_leader = cluster.leader();
  const NodeId victim = first_leader == 1 ? 2 : 1;
  cluster.create_vm("web", victim);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.executes(victim, "web"); }));
  cluster.cut(victim, first_leader);
  cluster.kill(victim);
  cluster.restart(victim);
  cluster.run_for(kMillisecond);
  cluster.kill(victim);
  cluster.kill(first_leader);
  for (NodeId a = 1; a <= 5; ++a) {
    for (NodeId b = 1; b < a; ++b) cluster.cut(a, b);
  }
  cluster.run_for(2 * kDetection);
  cluster.heal();
  EXPECT_TRUE(cluster.run_until([&] {
    if (cluster.leader() == kNoNode) return false;
    const NodeId owner = cluster.state().vm("web")->owner();
    return owner != victim && cluster.executes(owner, "web");
  }));
  EXPECT_EQ(cluster.state().node(victim)->state(), pb::NODE_DOWN);
}

}  // namespace
}  // namespace failsim
