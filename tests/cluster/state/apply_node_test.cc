// What applying does about nodes that go, and the VMs they leave.

#include <gtest/gtest.h>

#include "cluster/property/property_table.h"
#include "cluster/state/apply.h"
#include "tests/cluster/formed_cluster.h"

namespace failsim {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

// Three nodes with room for one VM each; node-1 and node-2 have theirs, and die.
class TwoOrphans : public testing::Test {
 protected:
  TwoOrphans() : state(ClusterState::born(formed_of(3, 300 * kMebibyte))) {
    for (const NodeId id : {1u, 2u, 3u}) join(id);
    create("a", 1);
    create("b", 2);
    for (const NodeId id : {1u, 2u}) {
      pb::Command command;
      command.mutable_node_down()->set_node(id);
      command.mutable_node_down()->set_incarnation(id);
      command.mutable_node_down()->set_fenced(true);
      perform(command);
    }
  }
  Applied perform(const pb::Command& command) { return apply(state, command, ++index); }
  void join(NodeId id) {
    pb::Command command;
    command.mutable_node_joined()->set_node(id);
    command.mutable_node_joined()->set_store_id(100 + id);
    command.mutable_node_joined()->set_incarnation(id);
    perform(command);
  }
  void create(const std::string& name, NodeId owner) {
    pb::Command command;
    pb::Request& request = *command.mutable_request();
    request.set_client("test");
    request.set_sequence(index + 1);
    request.mutable_create_vm()->set_name(name);
    request.mutable_create_vm()->set_owner(owner);
    request.mutable_create_vm()->set_start(true);
    request.mutable_create_vm()->mutable_config()->set_memory_bytes(200 * kMebibyte);
    ASSERT_EQ(perform(command).reply->code(), 0u);
  }
  Applied fail_over(const std::string& vm, NodeId to) {
    pb::Command command;
    pb::Command::Failover::Assignment& assignment = *command.mutable_failover()->add_assignments();
    assignment.set_vm(vm);
    *assignment.mutable_epoch() = state.vm(vm)->epoch();
    assignment.set_to(to);
    assignment.set_to_incarnation(to);
    return perform(command);
  }

  ClusterState state;
  Index index = 0;
};

TEST_F(TwoOrphans, OneFitsAndTheOtherWaitsForRoom) {
  EXPECT_FALSE(fail_over("a", 3).refused_by_guard);
  EXPECT_EQ(state.vm("a")->owner(), 3u);
  // Decided when node-3 was still empty.
  EXPECT_TRUE(fail_over("b", 3).refused_by_guard);
  EXPECT_EQ(state.vm("b")->owner(), 2u);
  EXPECT_LE(state.memory_in_use(3), state.node(3)->memory_bytes());
}

TEST_F(TwoOrphans, AVmRestartedInPlaceNeedsNoRoomBesideItself) {
  ASSERT_FALSE(fail_over("a", 3).refused_by_guard);
  EXPECT_FALSE(fail_over("a", 3).refused_by_guard);
}

}  // namespace
}  // namespace failsim
