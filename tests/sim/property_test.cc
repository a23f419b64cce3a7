// The rules of the property MigrationState, and writes that must not be lost.

#include "tests/sim/story.h"

namespace failsim::sim {
namespace {

class Properties : public Story {
 protected:
  void begin_with_vm() {
    begin();
    run_vm("web", leader());
  }
  pb::Reply write(std::uint32_t value) { return set_dword("vm", "web", "MigrationState", value); }
};

TEST_F(Properties, MigrationStateOutOfRangeIsRefusedAndKept) {
  begin_with_vm();
  EXPECT_EQ(write(5).code(), 0u);
  EXPECT_EQ(static_cast<Code>(write(6).code()), Code::kInvalidData);
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
}

TEST_F(Properties, AClientMayWriteAnyMigrationStateAndMigrateAfterIt) {
  begin_with_vm();
  for (const std::uint32_t value : {1u, 2u, 3u, 4u, 5u, 0u, 3u}) {
    EXPECT_EQ(write(value).code(), 0u);
    EXPECT_EQ(migration_state("web"), static_cast<MigrationState>(value));
    EXPECT_EQ(state().vm("web")->job(), 0u) << "a write creates no job";
  }
  const NodeId target = node_beside({owner("web")});
  wait_for_task(migrate("web", target).task());
  EXPECT_EQ(owner("web"), target);
  EXPECT_EQ(migration_state("web"), MigrationState::kNoMigration);
}

TEST_F(Properties, MigrationStateCannotBeWrittenDuringAMigration) {
  begin_with_vm();
  const NodeId target = node_beside({owner("web")});
  const TaskId job = migrate("web", target, slow()).task();
  wait("Data Transfer", [this] { return migration_state("web") == MigrationState::kDataTransfer; });
  EXPECT_EQ(static_cast<Code>(write(0).code()), Code::kInvalidState);
  wait_for_task(job);
  EXPECT_EQ(owner("web"), target);
}

TEST_F(Properties, AFailureStaysUntilItIsReset) {
  begin_with_vm();
  const NodeId target = node_beside({owner("web")});
  world().process(target)->host().faults().fail(HostStep::kPrepare);
  wait_for_task(migrate("web", target).task());
  pass(30 * kSecond);
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  EXPECT_EQ(write(0).code(), 0u);
  EXPECT_EQ(migration_state("web"), MigrationState::kNoMigration);
}

TEST_F(Properties, AnAcknowledgedWriteSurvivesAPowerCutOfEveryNode) {
  begin_with_vm();
  EXPECT_EQ(write(4).code(), 0u);
  for (const NodeId node : world().nodes()) world().power_off(node);
  for (const NodeId node : world().nodes()) world().start(node);
  wait("there is a leader", [this] { return leader() != kNoNode; });
  EXPECT_EQ(world().member(leader()).state().migration_state("web"), MigrationState::kCanceled);
}

TEST_F(Properties, ALongerDetectionTimeIsInForceAtOnce) {
  begin_with_vm();
  EXPECT_EQ(set_dword("cluster", "", "SameSubnetThreshold", 10).code(), 0u);
  pass(5 * kSecond);
  EXPECT_GT(world().member(leader()).lease_until(), world().now() + kSecond);
  expect_alive("web", owner("web"));
}

TEST_F(Properties, AShorterDetectionTimeWaitsForTheLongLeases) {
  WorldConfig config;
  config.properties = {{"SameSubnetDelay", 250}, {"SameSubnetThreshold", 20}};
  begin(config);
  const NodeId source = node_beside({leader()});
  run_vm("web", source);
  for (const NodeId other : world().nodes()) {
    if (other != source) world().partition({source}, {other});
  }
  EXPECT_EQ(set_dword("cluster", "", "SameSubnetThreshold", 3).code(), 0u);
  wait("it runs elsewhere",
       [&] { return owner("web") != source && executes("web", owner("web")); });
  expect_alive("web", owner("web"));
}

}  // namespace
}  // namespace failsim::sim
