#include <gtest/gtest.h>

#include "tests/cluster/member/member_cluster.h"

namespace failsim {
namespace {

using Names = std::vector<std::string>;

Code code(const std::optional<pb::Reply>& reply) {
  EXPECT_TRUE(reply.has_value());
  return reply.has_value() ? static_cast<Code>(reply->code()) : Code::kTimeout;
}

TEST(Member, ThreeNodesElectALeaderAndAllAreUp) {
  MemberCluster cluster(3);
  ASSERT_NE(cluster.leader(), kNoNode);
  for (const auto& [id, node] : cluster.state().nodes()) EXPECT_EQ(node->state(), pb::NODE_UP);
}

TEST(Member, ClusterOfOneServesToo) {
  MemberCluster cluster(1);
  EXPECT_EQ(code(cluster.create_vm("web", 1)), Code::kOk);
  EXPECT_TRUE(cluster.run_until([&] { return cluster.executes(1, "web"); }));
}

TEST(Member, EveryNodeTakesARequestAndTheVmRunsOnItsOwnerOnly) {
  MemberCluster cluster(3);
  for (const NodeId owner : {1u, 2u, 3u}) {
    const std::string vm = "vm" + std::to_string(owner);
    EXPECT_EQ(code(cluster.create_vm(vm, owner)), Code::kOk);
    ASSERT_TRUE(cluster.run_until([&] { return cluster.vm_state(vm) == VmState::kRunning; }));
    for (const NodeId node : {1u, 2u, 3u}) EXPECT_EQ(cluster.executes(node, vm), node == owner);
  }
}

TEST(Member, MethodsAnnounceTheStatesOfTheDiagram) {
  MemberCluster cluster(3);
  cluster.create_vm("web", 2);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.vm_state("web") == VmState::kRunning; }));
  cluster.method("web", VmMethod::kSave);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.vm_state("web") == VmState::kSaved; }));
  cluster.method("web", VmMethod::kStartUp);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.vm_state("web") == VmState::kRunning; }));
  cluster.method("web", VmMethod::kPause);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.vm_state("web") == VmState::kPaused; }));
  EXPECT_FALSE(cluster.executes(2, "web"));
  cluster.method("web", VmMethod::kResume);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.vm_state("web") == VmState::kRunning; }));
  cluster.method("web", VmMethod::kTurnOff);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.vm_state("web") == VmState::kTurnedOff; }));
  EXPECT_EQ(cluster.events("vm-state"),
            (Names{"TurningOn", "Running", "Saving", "TurningOff", "DeleteMachine", "TurnedOff",
                   "TurningOn", "Restoring", "Running", "Paused", "Running", "TurningOff",
                   "DeleteMachine", "TurnedOff"}));
}

TEST(Member, AMethodThatDoesNotFitIsRefusedAndChangesNothing) {
  MemberCluster cluster(3);
  cluster.create_vm("web", 1, false);
  const std::size_t events = cluster.state().events().size();
  EXPECT_EQ(code(cluster.method("web", VmMethod::kPause)), Code::kVmNotRunning);
  EXPECT_EQ(code(cluster.method("nobody", VmMethod::kPause)), Code::kGroupNotFound);
  EXPECT_EQ(cluster.state().events().size(), events);
  EXPECT_EQ(cluster.vm_state("web"), VmState::kTurnedOff);
}

TEST(Member, BadNamesSizesAndDuplicatesAreRefused) {
  MemberCluster cluster(3);
  EXPECT_EQ(code(cluster.create_vm("a/b", 1)), Code::kInvalidParameter);
  EXPECT_EQ(code(cluster.create_vm(std::string(10'000, 'x'), 1)), Code::kInvalidParameter);
  EXPECT_EQ(code(cluster.create_vm("cancel", 1)), Code::kInvalidParameter);
  EXPECT_EQ(code(cluster.create_vm("web", 1)), Code::kOk);
  EXPECT_EQ(code(cluster.create_vm("web", 1)), Code::kAlreadyExists);
}

TEST(Member, ARepeatedRequestIsAnsweredAndNotPerformedAgain) {
  MemberCluster cluster(3);
  pb::Request request;
  request.set_client("me");
  request.set_sequence(7);
  request.mutable_create_vm()->set_name("web");
  request.mutable_create_vm()->mutable_config()->set_memory_bytes(4096);
  const auto first = cluster.ask(1, request);
  const auto again = cluster.ask(2, request);
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(first->code(), 0u);
  EXPECT_EQ(again->code(), 0u);
  EXPECT_EQ(first->task(), again->task());
}

TEST(Member, MigrationStateIsWritableWithinItsRange) {
  MemberCluster cluster(3);
  cluster.create_vm("web", 1);
  for (const std::uint32_t value : {1u, 2u, 3u, 4u, 5u, 0u}) {
    EXPECT_EQ(code(cluster.set("vm", "web", "MigrationState", Value::dword(value))), Code::kOk);
    EXPECT_EQ(static_cast<std::uint32_t>(cluster.state().migration_state("web")), value);
  }
  EXPECT_EQ(code(cluster.set("vm", "web", "MigrationState", Value::dword(6))), Code::kInvalidData);
  EXPECT_EQ(cluster.state().migration_state("web"), MigrationState::kNoMigration);
  EXPECT_EQ(code(cluster.set("vm", "web", "MigrationProgress", Value::dword(1))),
            Code::kPropertyUnchangeable);
}

TEST(Member, ReadOnlyPropertiesShowWhatTheRowsSay) {
  MemberCluster cluster(3);
  cluster.create_vm("web", 1, false);
  const auto vm_state = [&] {
    return cluster.state().property(ObjectKind::kVm, "web", "VmState").number();
  };
  EXPECT_EQ(vm_state(), 3u);  // Disabled
  cluster.method("web", VmMethod::kStartUp);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.vm_state("web") == VmState::kRunning; }));
  EXPECT_EQ(vm_state(), 2u);  // Enabled
  EXPECT_EQ(cluster.state().property(ObjectKind::kGroup, "web", "Name").text(), "web");
  EXPECT_EQ(cluster.state().property(ObjectKind::kNode, "node-2", "NodeName").text(), "node-2");
  EXPECT_EQ(cluster.state().property(ObjectKind::kNode, "node-2", "DynamicWeight").number(), 1u);
  EXPECT_EQ(cluster.state().property(ObjectKind::kVm, "web", "StartMemory").number(), 256u);
}

TEST(Member, AllReplicasHoldTheSameState) {
  MemberCluster cluster(5);
  for (int i = 0; i < 20; ++i) cluster.create_vm("vm" + std::to_string(i), kNoNode);
  cluster.run_for(2 * kSecond);
  for (const NodeId id : {2u, 3u, 4u, 5u}) {
    EXPECT_EQ(cluster.member(id).state().hash(), cluster.member(1).state().hash());
  }
}

TEST(Member, ARestartedProcessReadsItsStateBack) {
  MemberCluster cluster(3);
  cluster.create_vm("web", 1);
  cluster.run_for(kSecond);
  const std::uint64_t before = cluster.member(3).state().hash();
  cluster.kill(3);
  cluster.restart(3);
  EXPECT_EQ(cluster.member(3).state().hash(), before);
}

// ---- A store that is not the newest of its node -------------------------------------------------

class OldStore : public testing::Test {
 protected:
  OldStore() : lead(cluster.leader()), old(lead == 1 ? 2 : 1), other(6 - lead - old) {}

  // One node has started twice and all know it; the copy was made before the second start. Then
  // something is acknowledged that the copy does not hold.
  void SetUp() override {
    copy = cluster.disk(old);
    copied_starts = cluster.starts(old);
    cluster.kill(old);
    cluster.restart(old);
    ASSERT_TRUE(cluster.run_until([&] { return knows(lead) && knows(other) && knows(old); }));
    ASSERT_EQ(code(cluster.create_vm("web", other)), Code::kOk);
    newest = cluster.disk(old);
    newest_starts = cluster.starts(old);
    cluster.kill(old);
  }
  bool knows(NodeId node) {
    return cluster.member(node).state().node(old)->incarnation() ==
           cluster.member(old).incarnation();
  }
  bool stops(NodeId node) {
    return cluster.run_until([&] { return cluster.member(node).is_failed(); });
  }
  // The rest of them elects nobody while they are two, one of which has no say.
  bool is_without_leader_for(Duration time) {
    cluster.run_for(time);
    return cluster.leader() == kNoNode;
  }

  MemberCluster cluster{3};
  const NodeId lead, old, other;
  Recovered copy, newest;
  std::uint64_t copied_starts = 0, newest_starts = 0;
};

TEST_F(OldStore, AnOlderCopyHasNoVoteAndItsProcessStops) {
  cluster.kill(lead);
  cluster.restart_on(old, copy, copied_starts);
  EXPECT_TRUE(stops(old));
  EXPECT_TRUE(is_without_leader_for(5 * kSecond));
  cluster.restart_on(old, newest, newest_starts);
  EXPECT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode; }));
  EXPECT_NE(cluster.state().vm("web"), nullptr);
}

TEST_F(OldStore, ACopyThatHasStartedAgainAndAgainUnheardHasNoSayEither) {
  cluster.kill(lead);
  cluster.cut(old, lead);
  cluster.cut(old, other);
  cluster.restart_on(old, copy, copied_starts);
  for (int start = 0; start < 5; ++start) {
    cluster.run_for(200 * kMillisecond);
    cluster.kill(old);
    cluster.restart(old);
  }
  EXPECT_GT(cluster.starts(old), newest_starts) << "its starts pass those that are known";
  EXPECT_FALSE(cluster.member(old).is_failed()) << "nobody could tell it";
  cluster.heal();
  EXPECT_TRUE(stops(old));
  EXPECT_TRUE(is_without_leader_for(5 * kSecond));
}

TEST_F(OldStore, ItIsMarkedBeforeItsProcessEnds) {
  cluster.restart_on(old, copy, copied_starts);
  EXPECT_FALSE(cluster.is_retired(old));
  EXPECT_TRUE(stops(old));
  EXPECT_TRUE(cluster.is_retired(old));
}

// The store may have been copied, or its disk may have lied, in the middle of a start.
TEST_F(OldStore, OneThatHasLostWhatItsLastProcessHadSyncedHasNoSayEither) {
  cluster.restart_on(old, newest, newest_starts);
  ASSERT_TRUE(cluster.run_until([&] { return knows(lead) && knows(other) && knows(old); }));
  const Recovered begun = cluster.disk(old);
  ASSERT_EQ(code(cluster.create_vm("db", other)), Code::kOk);
  cluster.run_for(2 * kSecond);
  ASSERT_GT(cluster.disk(old).synced, begun.synced);
  cluster.kill(old);
  cluster.kill(lead);
  cluster.restart_on(old, begun, newest_starts + 1);
  EXPECT_TRUE(stops(old));
  EXPECT_TRUE(is_without_leader_for(5 * kSecond));
}

// Starts that nobody heard are no fork: what they were heard of is behind them.
TEST_F(OldStore, TheNewestStoreMayStartAgainAndAgainUnheard) {
  cluster.kill(lead);
  cluster.cut(old, other);
  cluster.restart_on(old, newest, newest_starts);
  for (int start = 0; start < 5; ++start) {
    cluster.run_for(200 * kMillisecond);
    cluster.kill(old);
    cluster.restart(old);
  }
  cluster.heal();
  EXPECT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode; }));
  EXPECT_FALSE(cluster.is_retired(old));
}

TEST_F(OldStore, AlsoOthersThatHaveStartedSinceKnowItFromTheirStores) {
  cluster.kill(lead);
  cluster.kill(other);
  cluster.restart(other);
  cluster.restart_on(old, copy, copied_starts);
  EXPECT_TRUE(stops(old));
  EXPECT_TRUE(is_without_leader_for(5 * kSecond));
}

// An entry is in the log before it is known to be agreed.
TEST_F(OldStore, AlsoWhoHasTheLaterStartOnlyInItsLogKnowsIt) {
  cluster.kill(lead);
  cluster.kill(other);
  Recovered unapplied = cluster.disk(other);
  unapplied.rows.clear();
  unapplied.applied = 0;
  cluster.restart_on(other, unapplied, cluster.starts(other));
  cluster.restart_on(old, copy, copied_starts);
  EXPECT_TRUE(stops(old));
  EXPECT_TRUE(is_without_leader_for(5 * kSecond));
}

TEST_F(OldStore, AnEmptyOneFormattedUnderTheSameStoreIdHasNoSayEither) {
  cluster.kill(lead);
  cluster.restart_on(old, Recovered(), 0);
  EXPECT_TRUE(stops(old));
  EXPECT_TRUE(is_without_leader_for(5 * kSecond));
}

}  // namespace
}  // namespace failsim
