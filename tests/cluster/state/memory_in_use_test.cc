// The memory in use on a node follows from the rows of VMs and migrations, however they came there.

#include <gtest/gtest.h>

#include "cluster/migration/post_copy.h"
#include "cluster/random.h"
#include "cluster/state/cluster_state.h"

namespace failsim {
namespace {

// Added up anew.
std::uint64_t added_up(const ClusterState& state, NodeId node) {
  std::uint64_t bytes = 0;
  for (const auto& [name, vm] : state.vms()) {
    const pb::Task* job = state.job_of(*vm);
    const bool owns = vm->owner() == node && vm->want() != pb::GUEST_ABSENT;
    const bool reserves =
        job != nullptr && job->job().target() == node && job->job().target() != vm->owner();
    const bool keeps = job != nullptr && job->job().source() == node && pages_follow(*vm, *job);
    for (const bool holds : {owns, reserves, keeps}) {
      if (holds) bytes += vm->config().memory_bytes();
    }
  }
  return bytes;
}

class MemoryInUse : public testing::Test {
 protected:
  static constexpr NodeId kNodes = 4;

  pb::Vm vm(const std::string& name, NodeId owner, std::uint64_t bytes) {
    pb::Vm vm;
    vm.set_name(name);
    vm.set_owner(owner);
    vm.set_want(pb::GUEST_RUNNING);
    vm.mutable_config()->set_memory_bytes(bytes);
    return vm;
  }
  pb::Task migration(TaskId id, const std::string& vm, NodeId source, NodeId target,
                     bool post_copy = false) {
    pb::Task task;
    task.set_id(id);
    task.mutable_job()->set_vm(vm);
    task.mutable_job()->set_source(source);
    task.mutable_job()->set_target(target);
    task.mutable_job()->set_post_copy(post_copy);
    task.mutable_job()->set_phase(static_cast<std::uint32_t>(MigrationState::kMove));
    return task;
  }
  void expect_sums(const ClusterState& of) {
    for (NodeId node = 1; node <= kNodes; ++node) {
      ASSERT_EQ(of.memory_in_use(node), added_up(of, node)) << node_name(node);
    }
  }
  // One edit, of any kind, as apply or a store might make it.
  void edit(Random& random) {
    const std::uint64_t number = random.below(5);
    const std::string name = "vm" + std::to_string(number);
    const TaskId id = 10 * number + 1 + random.below(2);  // of one of two migrations of this VM
    const auto node = static_cast<NodeId>(1 + random.below(kNodes));
    switch (random.below(5)) {
      case 0:
        return state.erase_vm(name);
      case 1:
        return state.erase_task(id);
      case 2:
        return state.put(migration(id, name, node, static_cast<NodeId>(1 + random.below(kNodes)),
                                   random.below(2) == 0));
      default:
        pb::Vm row = vm(name, node, 1 + random.below(1000));
        if (random.below(3) == 0) row.set_want(pb::GUEST_ABSENT);
        if (random.below(2) == 0) row.set_job(id);
        if (random.below(2) == 0) row.set_image_job(id);
        return state.put(row);
    }
  }

  ClusterState state;
};

TEST_F(MemoryInUse, ARunningVmTakesItAtItsOwner) {
  state.put(vm("web", 1, 100));
  EXPECT_EQ(state.memory_in_use(1), 100u);
  pb::Vm off = vm("web", 1, 100);
  off.set_want(pb::GUEST_ABSENT);
  state.put(off);
  EXPECT_EQ(state.memory_in_use(1), 0u);
}

TEST_F(MemoryInUse, AMigrationReservesItAtTheTargetUntilItEnds) {
  pb::Vm web = vm("web", 1, 100);
  web.set_job(7);
  state.put(migration(7, "web", 1, 2));
  state.put(web);
  EXPECT_EQ(state.memory_in_use(1), 100u);
  EXPECT_EQ(state.memory_in_use(2), 100u);
  web.set_owner(2);  // it has moved
  state.put(web);
  EXPECT_EQ(state.memory_in_use(1), 0u);
  EXPECT_EQ(state.memory_in_use(2), 100u);
  web.clear_job();
  state.put(web);
  EXPECT_EQ(state.memory_in_use(2), 100u);
}

TEST_F(MemoryInUse, InPostCopyTheSourceKeepsThePagesThatFollow) {
  pb::Vm web = vm("web", 2, 100);
  web.set_job(7);
  web.set_image_job(7);
  state.put(migration(7, "web", 1, 2, true));
  state.put(web);
  EXPECT_EQ(state.memory_in_use(1), 100u);
  EXPECT_EQ(state.memory_in_use(2), 100u);
  pb::Task complete = migration(7, "web", 1, 2, true);
  complete.mutable_job()->set_phase(0);
  state.put(complete);
  EXPECT_EQ(state.memory_in_use(1), 0u);
  EXPECT_EQ(state.memory_in_use(2), 100u);
}

TEST_F(MemoryInUse, IsTheSumOfTheRowsWhateverWasEdited) {
  Random random(20261121);
  for (int round = 0; round < 2'000; ++round) {
    edit(random);
    expect_sums(state);
  }
}

TEST_F(MemoryInUse, IsTheSameInACopyAndWhenTheRowsAreRead) {
  Random random(4);
  for (int round = 0; round < 200; ++round) edit(random);
  const ClusterState copy = state;
  expect_sums(copy);
  expect_sums(ClusterState::from_rows(state.rows()));
  edit(random);
  expect_sums(copy);
}

}  // namespace
}  // namespace failsim
