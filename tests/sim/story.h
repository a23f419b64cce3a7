// Verbs for stories about a cluster in virtual time. Every story ends with the invariants: what it
// does not expect to be violated must not have been.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/migration/migration_state.h"
#include "cluster/proto/command.pb.h"
#include "cluster/vm/lifecycle.h"
#include "cluster/vm/vm_state.h"
#include "tools/sim/world.h"

namespace failsim::sim {

inline constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

class Story : public testing::Test {
 protected:
  // A cluster of three nodes with a leader, all Up.
  void begin(WorldConfig config = WorldConfig());
  void TearDown() override;

  World& world() { return *world_; }
  void pass(Duration duration) { world_->run_for(duration); }
  // Fails the test when the condition does not hold in time.
  void wait(const std::string& what, const std::function<bool()>& condition,
            Duration at_most = 30 * kSecond);

  NodeId leader() const;
  // A node that is none of these.
  NodeId node_beside(std::vector<NodeId> others) const;
  // What the cluster has agreed on, as the furthest running member has it.
  const ClusterState& state() const;

  // ---- clients ----
  // Asked of the leader; waits for the answer.
  pb::Reply ask(pb::Request request);
  pb::Reply method(const std::string& vm, VmMethod method);
  pb::Reply migrate(const std::string& vm, NodeId target, pb::MigrationParameters parameters = {});
  pb::Reply cancel(const std::string& vm);
  pb::Reply set_dword(const std::string& kind, const std::string& object, const std::string& name,
                      std::uint32_t value);
  void wait_for_task(TaskId task);
  // A small VM that writes; created on the node and running.
  static pb::VmConfig small_vm();
  void run_vm(const std::string& name, NodeId owner, const pb::VmConfig& config = small_vm());
  // Slow enough that Data Transfer lasts for seconds.
  static pb::MigrationParameters slow();

  // ---- looking ----
  NodeId owner(const std::string& vm) const { return state().vm(vm)->owner(); }
  VmState vm_state(const std::string& vm) const { return *vm_state_of(state().vm(vm)->state()); }
  MigrationState migration_state(const std::string& vm) const {
    return state().migration_state(vm);
  }
  const pb::MigrationJob& last_job(const std::string& vm) const {
    return state().last_migration(vm)->job();
  }
  bool executes(const std::string& vm, NodeId node) const;
  // On no node at all.
  bool stands_still(const std::string& vm) const;
  std::uint64_t counter(const std::string& vm, NodeId node) const;
  // The guest works on this node: its counter rises.
  void expect_alive(const std::string& vm, NodeId node);
  // The "to" of the events of this kind about the VM, since event number `since`.
  std::vector<std::string> changes(const std::string& kind, const std::string& vm,
                                   std::uint64_t since = 0) const;
  std::uint64_t last_event() const { return state().cluster().last_event(); }
  void expect_violation(const std::string& label) { expected_.push_back(label); }

 private:
  std::unique_ptr<World> world_;
  std::uint64_t next_request_ = 1;
  std::vector<std::string> expected_;
};

}  // namespace failsim::sim
