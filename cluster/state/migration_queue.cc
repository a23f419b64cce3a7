#include "cluster/state/migration_queue.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "cluster/state/change.h"
#include "cluster/state/job_row.h"

namespace failsim {
namespace {

struct Route {
  NodeId source;
  NodeId target;
};

// Where the VM is now: it may have failed over since the job was asked for.
Route route_of(const ClusterState& state, const pb::Task& task) {
  const pb::Vm* vm = state.vm(task.job().vm());
  return {vm == nullptr ? task.job().source() : vm->owner(), task.job().target()};
}

bool meet(const Route& one, const pb::MigrationJob& other) {
  return one.source == other.source() || one.source == other.target() ||
         one.target == other.source() || one.target == other.target();
}

// Whether enough of those asked for later have begun on one of its nodes.
bool was_skipped(const ClusterState& state, const pb::Task& task) {
  const Route route = route_of(state, task);
  std::uint32_t skips = 0;
  const auto& tasks = state.tasks();
  for (auto later = tasks.upper_bound(task.id()); later != tasks.end(); ++later) {
    const pb::Task& other = *later->second;
    const bool has_begun = other.has_job() && other.job().attempt() != 0;
    if (has_begun && meet(route, other.job()) && ++skips == kSkipsBeforeReserved) return true;
  }
  return false;
}

class Slots {
 public:
  explicit Slots(const ClusterState& state)
      : most_(state.cluster_dword("MaximumParallelMigrations")) {
    for (const auto& [name, vm] : state.vms()) {
      const pb::Task* task = state.job_of(*vm);
      if (task == nullptr) continue;
      ++taken_[task->job().source()];
      ++taken_[task->job().target()];
    }
  }

  std::uint32_t most() const { return most_; }
  std::uint32_t taken(NodeId node) const {
    const auto found = taken_.find(node);
    return found == taken_.end() ? 0 : found->second;
  }
  bool has_room(const Route& route) const {
    return has_room(route.source) && has_room(route.target);
  }
  bool has_room(NodeId node) const { return taken(node) < most_ && !reserved_.contains(node); }
  void take(const Route& route) {
    ++taken_[route.source];
    ++taken_[route.target];
  }
  // For nobody but those who have been looked at before.
  void reserve(const Route& route) { reserved_.insert({route.source, route.target}); }

 private:
  const std::uint32_t most_;
  std::map<NodeId, std::uint32_t> taken_;
  std::set<NodeId> reserved_;
};

// The slots that are left for one more, behind all that wait.
Slots slots_behind_queue(const ClusterState& state) {
  Slots slots(state);
  for (const TaskId id : state.waiting_jobs()) {
    const pb::Task& task = *state.task(id);
    if (was_skipped(state, task)) slots.reserve(route_of(state, task));
  }
  return slots;
}

}  // namespace

bool would_wait(const ClusterState& state, NodeId source, NodeId target) {
  return !slots_behind_queue(state).has_room({source, target});
}

std::uint32_t slots_taken(const ClusterState& state, NodeId node) {
  return Slots(state).taken(node);
}

std::string why_it_waits(const ClusterState& state, const pb::Task& task) {
  const Slots slots(state);
  const Route route = route_of(state, task);
  std::string why;
  for (const NodeId node : {route.source, route.target}) {
    if (slots.taken(node) < slots.most()) continue;
    why += (why.empty() ? "" : ", and ") + node_name(node) + " takes part in " +
           std::to_string(slots.taken(node)) + " of " + std::to_string(slots.most()) +
           (slots.most() == 1 ? " migration" : " migrations");
  }
  if (why.empty()) why = "the slots are kept for a migration that waits longer";
  return "The migration of VM '" + task.job().vm() + "' to " + node_name(task.job().target()) +
         " waits: " + why + " (MaximumParallelMigrations).";
}

void begin_waiting_migrations(Change& change) {
  Slots slots(change.state());
  const std::vector<TaskId> waiting(change.state().waiting_jobs().begin(),
                                    change.state().waiting_jobs().end());
  for (const TaskId id : waiting) {
    const pb::Task& task = *change.state().task(id);
    const Route route = route_of(change.state(), task);
    const bool has_room = change.makes(Mistake::kIgnoreTargetSlot) ? slots.has_room(route.source)
                                                                   : slots.has_room(route);
    if (has_room) {
      if (begin_migration(change, id)) slots.take(route);
    } else if (was_skipped(change.state(), task)) {
      slots.reserve(route);
    }
  }
}

}  // namespace failsim
