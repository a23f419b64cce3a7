#include "cluster/failover/failover.h"

#include "cluster/failover/migration_conductor.h"
#include "tests/cluster/failover/leader_story.h"

namespace failsim {
namespace {

// node-2 owns "web" and "mail"; each node has room for two VMs.
class FailoverDecision : public LeaderStory {
 protected:
  FailoverDecision() {
    for (const std::string vm : {"web", "mail"}) {
      create_vm(vm, 2);
      settle(vm);
    }
  }
  std::map<std::string, pb::Command> decide() {
    failover.nodes_changed(state);
    return proposals([&](Decision& decision) { failover.decide(decision, migrations); });
  }

  Failover failover;
  MigrationConductor migrations;
};

TEST_F(FailoverDecision, VmsOfALivingOwnerStay) {
  EXPECT_TRUE(decide().empty());
}

TEST_F(FailoverDecision, ASilentOwnersLeaseIsWaitedFor) {
  take_down(2, false);
  EXPECT_TRUE(decide().empty());
  EXPECT_EQ(next_look, leases.ends(2));
  now = leases.ends(2);
  EXPECT_EQ(decide().size(), 1u);
}

TEST_F(FailoverDecision, ADeadOwnersVmsMoveAtOnceAndTogether) {
  take_down(2, true);
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  const auto& assignments = commands.begin()->second.failover().assignments();
  ASSERT_EQ(assignments.size(), 2);
  EXPECT_EQ(assignments[0].vm(), "mail");
  EXPECT_EQ(assignments[0].to(), 1u);
  EXPECT_EQ(assignments[1].vm(), "web");
  EXPECT_EQ(assignments[1].to(), 3u);
}

TEST_F(FailoverDecision, AVmWhoseMoveIsOnItsWayIsLeftOut) {
  take_down(2, true);
  on_their_way["failover/mail"] = index + 1;
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands.at("failover/web").failover().assignments().size(), 1);
}

TEST_F(FailoverDecision, AVmThatGotANewOwnerIsNoOrphanAnyMore) {
  take_down(2, true);
  perform(decide().begin()->second);
  failover.vm_changed(state, "web");
  failover.vm_changed(state, "mail");
  EXPECT_TRUE(proposals([&](Decision& decision) { failover.decide(decision, migrations); }).empty());
}

TEST_F(FailoverDecision, AMigrationDoesNotWaitForRoom) {
  pb::Command migrate;
  migrate.mutable_request()->mutable_migrate()->set_vm("web");
  migrate.mutable_request()->mutable_migrate()->set_target(3);
  ask(migrate);
  for (const std::string vm : {"a", "b"}) create_vm(vm, 1);
  create_vm("c", 3);
  take_down(2, true);
  const auto commands = decide();
  ASSERT_TRUE(commands.contains(migration_key("web")));
  EXPECT_EQ(commands.at(migration_key("web")).abort_migration().message(),
            "The source node-2 died and no other node has room.");
}

}  // namespace
}  // namespace failsim
