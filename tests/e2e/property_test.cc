// MigrationState and its like, written and read through every node.
#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

using PropertyTest = RunningCluster;

TEST_F(PropertyTest, AValueWrittenIsReadThroughEveryNode) {
  object("vm create web --memory 16MiB");
  const json::object born = object("property get vm/web MigrationState");
  EXPECT_EQ(text_in(born, "name"), "MigrationState");
  EXPECT_EQ(number_in(born, "value"), 0u);
  EXPECT_EQ(text_in(born, "type"), "DWORD");
  EXPECT_EQ(number_in(born, "minimum"), 0u);
  EXPECT_EQ(number_in(born, "maximum"), 5u);
  EXPECT_EQ(number_in(born, "default"), 0u);
  EXPECT_TRUE(born.contains("access"));
  for (std::uint64_t value = 0; value <= 5; ++value) {
    const std::uint64_t before = last_event();
    object("property set web MigrationState " + std::to_string(value));
    for (std::uint32_t node = 1; node <= 3; ++node) {
      const cli::HttpAnswer answer =
          client().ask(node, "/v1/property?object=vm%2Fweb&name=MigrationState",
                       std::chrono::milliseconds(10'000));
      const json::object read = cli::parse_object(answer.body).value_or(json::object{});
      EXPECT_EQ(number_in(read, "value"), value) << "node-" << node << ": " << answer.body;
    }
    EXPECT_EQ(migration_states_after(before, "web").size(), value == 0 ? 0u : 1u)
        << "a write that changes the value is an event";
  }
  EXPECT_EQ(array("migrate list").size(), 0u) << "a client's write creates no job";
}

TEST_F(PropertyTest, OutOfRangeIsRefusedAndTheStoredValueStays) {
  object("vm create web --memory 16MiB");
  object("property set web MigrationState 3");
  for (const char* value : {"6", "-1", "4294967296", "three"}) {
    expect_refused(std::string("property set web MigrationState ") + value, 64, Code::kInvalidData);
  }
  EXPECT_EQ(number_in(object("property get web MigrationState"), "value"), 3u);
}

TEST_F(PropertyTest, WhileAMigrationIsUnderWayAClientMayNotWrite) {
  object("vm create web --memory 32MiB --owner node-1 --start");
  const std::uint64_t before = last_event();
  const std::unique_ptr<Program> migration = begin("migrate web --to node-2 --bandwidth 1MiB/s");
  wait_for_migration_state(before, "web", 2);
  expect_refused("property set web MigrationState 0", 1, Code::kInvalidState);
  EXPECT_EQ(number_in(object("property get web MigrationState"), "value"), 2u);
  object("migrate cancel web");
  EXPECT_EQ(migration->wait().exit, 20);
}

TEST_F(PropertyTest, ReadOnlyAndUnknownOnesAreRefused) {
  object("vm create web --memory 16MiB");
  expect_refused("property set web MigrationProgress 50", 1, Code::kPropertyUnchangeable);
  expect_refused("property set web MigrationFailureReason 0", 1, Code::kPropertyUnchangeable);
  expect_refused("property get web NoSuchProperty", 105, Code::kNotFound);
  expect_refused("property get vm/nope MigrationState", 105, Code::kGroupNotFound);
  expect_refused("property get node/node-9 Description", 105, Code::kNodeNotFound);
}

TEST_F(PropertyTest, EveryKindOfObjectHasAList) {
  object("vm create web --memory 16MiB");
  for (const char* name : {"web", "vm/web", "group/web", "node/node-1", "cluster"}) {
    EXPECT_FALSE(array(std::string("property list ") + name).empty()) << name;
  }
  EXPECT_EQ(number_in(object("property get cluster SameSubnetDelay"), "value"), 250u);
}

TEST_F(PropertyTest, AnAcknowledgedWriteSurvivesTheDeathOfEveryNode) {
  object("vm create web --memory 16MiB");
  object("property set web MigrationState 5");
  for (const char* node : {"node-1", "node-2", "node-3"}) {
    EXPECT_EQ(run(std::string("node kill ") + node).exit, 0);
  }
  for (const char* node : {"node-1", "node-2", "node-3"}) {
    EXPECT_EQ(run(std::string("node start ") + node).exit, 0);
  }
  EXPECT_EQ(number_in(object("property get web MigrationState"), "value"), 5u);
}

}  // namespace
}  // namespace failsim::test
