// What the virtual cluster shows: the values that conditions compare, and what selectors of faults
// are resolved against.
#pragma once

#include <optional>
#include <string>

#include "cluster/member.h"
#include "cluster/proto/state.pb.h"
#include "tools/sim/world.h"

namespace failsim::scenario {

class View {
 public:
  explicit View(sim::World& world) : world_(world) {}

  // Canonical text of a field of field.h; nothing if the object does not exist. Knows all subjects
  // but "fault".
  std::optional<std::string> look(const std::string& subject, const std::string& object,
                                  const std::string& field) const;

  // What the cluster has agreed on, as far as any member has ever applied it: it does not go back
  // when the furthest one dies. Null if none runs.
  const ClusterState* state() const;
  // To be called after every step of the world.
  void look_around();
  // Who leads the log and may act; kNoNode if nobody does.
  NodeId leader() const;
  // The newest migration of the VM; 0 if there is none.
  TaskId newest_job(const std::string& vm) const;

  // The answer to the last action, for answer.* and task(last).
  void answered(const pb::Reply& reply);

 private:
  using Text = std::optional<std::string>;

  Text look_at_vm(const std::string& vm, const std::string& field) const;
  Text look_at_migration(const std::string& vm, const std::string& field) const;
  Text look_at_node(const std::string& node, const std::string& field) const;
  Text look_at_cluster(const std::string& field) const;
  Text look_at_task(const std::string& task, const std::string& field) const;
  Text look_at_answer(const std::string& field) const;
  Text look_at_property(const std::string& path) const;
  NodeId executes_on(const std::string& vm) const;
  std::uint32_t round_of(const pb::MigrationJob& job, TaskId id) const;
  bool has_caught_up(NodeId node) const;


  sim::World& world_;
  Index furthest_index_ = 0;
  ClusterState furthest_state_;  // at this index
  pb::Reply answer_;
  TaskId last_task_ = 0;
};

}  // namespace failsim::scenario
