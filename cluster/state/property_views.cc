#include "cluster/state/property_views.h"

#include "cluster/state/cluster_state.h"
#include "cluster/state/job_row.h"
#include "cluster/state/migration_queue.h"
#include "cluster/vm/vm_state.h"

namespace failsim {
namespace {

std::uint32_t status_information(const ClusterState& state, const pb::Vm& vm) {
  const pb::Task* task = state.open_migration(vm);
  return task != nullptr && waits_for_its_turn(task->job()) ? kWaitingInQueueForMove : 0;
}

}  // namespace

std::optional<Value> property_view(const ClusterState& state, ObjectKind kind,
                                   const std::string& object, std::string_view name) {
  if (kind == ObjectKind::kVm && name == "VmState") {
    const pb::Vm* vm = state.vm(object);
    if (vm == nullptr) return std::nullopt;
    return Value::dword(enabled_state(vm_state_of(vm->state()).value_or(VmState::kInvalid)));
  }
  if (kind == ObjectKind::kGroup && name == "Name" && state.vm(object) != nullptr) {
    return Value::sz(object);
  }
  if (kind == ObjectKind::kGroup && name == "StatusInformation" && state.vm(object) != nullptr) {
    return Value::dword(status_information(state, *state.vm(object)));
  }
  if (kind != ObjectKind::kNode || state.node_named(object) == nullptr) return std::nullopt;
  if (name == "NodeName") return Value::sz(object);
  if (name == "DynamicWeight") return Value::dword(1);  // membership is fixed: every node votes
  return std::nullopt;
}

}  // namespace failsim
