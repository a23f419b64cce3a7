// Who may run a VM when its owner is gone, and when.

#include "tests/sim/story.h"

namespace failsim::sim {
namespace {

class Failover : public Story {
 protected:
  // Three heartbeats of 250 ms.
  static constexpr Duration kDetection = 750 * kMillisecond;

  void begin_with_vm() {
    begin();
    owner_ = node_beside({leader()});
    run_vm("web", owner_);
  }

  Duration time_until_runs_elsewhere() {
    const Time before = world().now();
    wait("it runs elsewhere",
         [this] { return owner("web") != owner_ && executes("web", owner("web")); });
    return world().now() - before;
  }

  NodeId owner_ = kNoNode;
};

TEST_F(Failover, AKilledOwnerIsReplacedAtOnceWhenTheLauncherTells) {
  begin_with_vm();
  world().kill(owner_, World::Evidence::kReported);
  EXPECT_LT(time_until_runs_elsewhere(), 500 * kMillisecond);
  expect_alive("web", owner("web"));
}

TEST_F(Failover, WithoutEvidenceTheLeaseIsWaitedFor) {
  begin_with_vm();
  const Time lease_until = world().member(owner_).lease_until();
  world().kill(owner_);
  const Duration duration = time_until_runs_elsewhere();
  EXPECT_GE(world().now(), lease_until);
  EXPECT_LT(duration, 3 * kDetection);
  expect_alive("web", owner("web"));
}

TEST_F(Failover, AnIsolatedOwnerStopsBeforeTheNextOneStarts) {
  begin_with_vm();
  for (const NodeId other : world().nodes()) {
    if (other != owner_) world().partition({owner_}, {other});
  }
  wait(
      "its lease is over", [this] { return stands_still("web"); }, 2 * kDetection);
  const Time stopped = world().now();
  EXPECT_EQ(owner("web"), owner_) << "not given away yet";
  time_until_runs_elsewhere();
  EXPECT_GT(world().now(), stopped);
  EXPECT_TRUE(world().process(owner_)->host().has_guest("web")) << "frozen, kept in memory";
  world().network().heal_all();
  wait("the old guest is destroyed",
       [this] { return !world().process(owner_)->host().has_guest("web"); });
  expect_alive("web", owner("web"));
}

TEST_F(Failover, AShortIsolationCostsNothing) {
  begin_with_vm();
  const std::uint64_t boot = state().vm("web")->boot_id();
  for (const NodeId other : world().nodes()) {
    if (other != owner_) world().partition({owner_}, {other});
  }
  pass(kDetection / 3);
  world().network().heal_all();
  pass(5 * kSecond);
  EXPECT_EQ(owner("web"), owner_);
  EXPECT_EQ(state().vm("web")->boot_id(), boot);
  expect_alive("web", owner_);
}

TEST_F(Failover, ARestartedProcessInheritsNothing) {
  begin_with_vm();
  const Epoch epoch{state().vm("web")->epoch().recovery(), state().vm("web")->epoch().counter()};
  const std::uint64_t boot = state().vm("web")->boot_id();
  world().kill(owner_);
  pass(50 * kMillisecond);
  world().start(owner_);
  EXPECT_FALSE(executes("web", owner_));
  wait("it runs again", [this] { return executes("web", owner("web")); });
  const Epoch now{state().vm("web")->epoch().recovery(), state().vm("web")->epoch().counter()};
  EXPECT_GT(now, epoch);
  EXPECT_GT(state().vm("web")->boot_id(), boot);
}

TEST_F(Failover, AVmThatFitsNowhereElseIsRestartedWhereItWas) {
  WorldConfig config;
  config.node_memory_bytes = 6 * kMebibyte;
  begin(config);
  owner_ = node_beside({leader()});
  for (const NodeId node : world().nodes()) run_vm("vm-" + std::to_string(node), node);
  const std::string vm = "vm-" + std::to_string(owner_);
  world().kill(owner_, World::Evidence::kReported);
  pass(3 * kSecond);
  EXPECT_TRUE(stands_still(vm));
  world().start(owner_);
  wait("it runs again", [&] { return executes(vm, owner_); });
  expect_alive(vm, owner_);
}

TEST_F(Failover, AStoppedOwnerWakesUpAndRunsNothingItLost) {
  begin_with_vm();
  world().stop(owner_);
  time_until_runs_elsewhere();
  pass(30 * kSecond);
  world().cont(owner_);
  EXPECT_FALSE(executes("web", owner_)) << "its lease is over";
  pass(3 * kSecond);
  EXPECT_FALSE(world().process(owner_)->host().has_guest("web"));
  expect_alive("web", owner("web"));
}

TEST_F(Failover, EverybodyStoppedAtOnceIsNobodysDeath) {
  begin_with_vm();
  const std::uint64_t since = last_event();
  for (const NodeId node : world().nodes()) world().stop(node);
  pass(60 * kSecond);
  for (const NodeId node : world().nodes()) world().cont(node);
  pass(5 * kSecond);
  EXPECT_EQ(owner("web"), owner_);
  EXPECT_TRUE(changes("owner", "web", since).empty());
  expect_alive("web", owner_);
}

TEST_F(Failover, WithoutAQuorumGuestsFreezeAndGoOnWhenItReturns) {
  begin_with_vm();
  const std::uint64_t boot = state().vm("web")->boot_id();
  for (const NodeId one : world().nodes()) {
    for (const NodeId other : world().nodes()) {
      if (one != other) world().network().cut(one, other);
    }
  }
  pass(15 * kSecond);
  EXPECT_TRUE(stands_still("web"));
  world().network().heal_all();
  wait("it thaws", [this] { return executes("web", owner_); });
  EXPECT_EQ(state().vm("web")->boot_id(), boot) << "nothing of its memory is lost";
  expect_alive("web", owner_);
}

TEST_F(Failover, AnOwnerWhoseDiskFailsLosesItsVmsAfterItsLease) {
  begin_with_vm();
  world().disk(owner_).fail_writes();
  pb::Request request;
  request.mutable_set_property()->set_kind("node");
  request.mutable_set_property()->set_object("node-1");
  request.mutable_set_property()->set_name("Description");
  request.mutable_set_property()->set_value(encode_value(Value::sz("any write")).take());
  ask(request);
  wait("the process ends", [this] { return !world().is_running(owner_); });
  time_until_runs_elsewhere();
  expect_alive("web", owner("web"));
}

TEST_F(Failover, ALeavingNodeHandsItsVmsOver) {
  begin_with_vm();
  world().leave(owner_);
  EXPECT_LT(time_until_runs_elsewhere(), kSecond);
  expect_alive("web", owner("web"));
}

TEST_F(Failover, AStalledVolumeDelaysTheGuestAndLosesNoWrite) {
  begin_with_vm();
  const std::uint64_t before = counter("web", owner_);
  const StorageRules::Id stall = world().volume().add(StorageRule{});
  pass(4 * kSecond);
  EXPECT_LE(counter("web", owner_), before + 2) << "it waits for its disk";
  world().volume().remove(stall);
  pass(2 * kSecond);
  expect_alive("web", owner_);
}

TEST_F(Failover, TheLastWriteOfAKilledOwnerIsWhereTheNextOneGoesOn) {
  begin_with_vm();
  pass(2 * kSecond);
  world().kill(owner_, World::Evidence::kReported);
  const std::uint64_t written = world().volume().volume().vm("web")->last_counter;
  time_until_runs_elsewhere();
  EXPECT_GE(counter("web", owner("web")), written);
  EXPECT_LE(counter("web", owner("web")), written + 2);
}

TEST_F(Failover, EveryPowerCutOfAllNodesEndsWithAllVmsRunning) {
  begin_with_vm();
  for (const NodeId node : world().nodes()) world().power_off(node);
  pass(kSecond);
  for (const NodeId node : world().nodes()) world().start(node);
  wait("it runs again", [this] { return leader() != kNoNode && executes("web", owner("web")); });
  expect_alive("web", owner("web"));
}

// The entry that changes the owner is committed late, together with many others: a small log
// compacts it away in the same step. Those who watch the VM's ownership have to see it all the
// same.
TEST_F(Failover, ItIsWatchedEvenWhereTheStepThatCommitsItCompactsItAway) {
  WorldConfig config;
  config.compact_every = 2;
  config.disk.sync_min = config.disk.sync_max = 10 * kMillisecond;
  begin(config);
  const NodeId first_leader = leader();
  owner_ = node_beside({first_leader});
  const NodeId follower = node_beside({first_leader, owner_});
  run_vm("web", owner_);
  world().kill(owner_, World::Evidence::kReported);
  wait("the failover is decided",
       [&] { return world().member(first_leader).state().node(owner_)->state() == pb::NODE_DOWN; });
  world().network().cut(follower, first_leader);
  for (std::uint64_t sequence = 1; sequence <= 10; ++sequence) {
    pb::Request request;
    request.set_client("burst");
    request.set_sequence(sequence);
    request.mutable_set_property()->set_kind("node");
    request.mutable_set_property()->set_object("node-1");
    request.mutable_set_property()->set_name("Description");
    request.mutable_set_property()->set_value(encode_value(Value::sz("any")).take());
    world().ask(first_leader, request, [](const pb::Reply&) {});
  }
  pass(2 * kSecond);
  EXPECT_EQ(owner("web"), owner_) << "not committed yet";
  world().network().heal_all();
  time_until_runs_elsewhere();
  expect_alive("web", owner("web"));
}

}  // namespace
}  // namespace failsim::sim
