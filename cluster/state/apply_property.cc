// Property writes of clients.

#include <algorithm>
#include <utility>

#include "cluster/state/change.h"
#include "cluster/state/post_copy_deadline.h"

namespace failsim {
namespace {

std::optional<ObjectKind> kind_named(const std::string& text) {
  for (const ObjectKind kind :
       {ObjectKind::kVm, ObjectKind::kGroup, ObjectKind::kNode, ObjectKind::kCluster}) {
    if (name(kind) == text) return kind;
  }
  return std::nullopt;
}

bool exists(const ClusterState& state, ObjectKind kind, const std::string& object) {
  switch (kind) {
    case ObjectKind::kVm:
    case ObjectKind::kGroup:
      return state.vm(object) != nullptr;
    case ObjectKind::kNode:
      return state.node_named(object) != nullptr;
    case ObjectKind::kCluster:
      return object.empty();
  }
  return false;
}

// Longer leases than before bind at once; shorter ones only when a leader has waited (coordinator).
void raise_lease_bound(ClusterState& state) {
  pb::Cluster cluster = state.cluster();
  cluster.set_lease_bound_ns(
      std::max<std::int64_t>(cluster.lease_bound_ns(), state.detection_time()));
  state.put(std::move(cluster));
}

void write_migration_state(Change& change, const pb::Vm& vm, const Value& value) {
  if (vm.job() != 0) {
    return change.refuse(
        {Code::kInvalidState,
         "MigrationState of VM '" + vm.name() + "' cannot be written while job " +
             std::to_string(vm.job()) + " is in flight.",
         "Wait for the migration, or 'failsim migrate cancel " + vm.name() + "'."});
  }
  const auto to = migration_state_of(static_cast<std::uint32_t>(value.number()));
  change.set_migration_state(vm, *to, 0);
  change.accept();
}

// What the node may send together concerns each transfer that it sends.
void note_transfers(Change& change, const pb::Node& node) {
  for (const auto& [name, vm] : change.state().vms()) {
    const pb::Task* task = change.state().job_of(*vm);
    if (task != nullptr && task->job().source() == node.id()) change.applied().vms.insert(name);
  }
}

// Where the configuration lies is said once (event 21152 of the documents).
std::optional<Error> change_refused(const ClusterState& state, ObjectKind kind,
                                    const std::string& object, std::string_view property,
                                    const Value& value) {
  if (kind != ObjectKind::kVm || property != "VmStoreRootPath") return std::nullopt;
  const Value before = state.property(kind, object, property);
  if (before.text().empty() || before == value) return std::nullopt;
  return Error{Code::kPropertyUnchangeable,
               "The VmStoreRootPath of VM '" + object + "' is '" + before.text() +
                   "' and cannot be changed once it is set.",
               "Delete the VM and create it anew."};
}

}  // namespace

void apply_set_property(Change& change, const pb::Request::SetProperty& request) {
  ClusterState& state = change.state();
  const auto kind = kind_named(request.kind());
  if (!kind.has_value() || !exists(state, *kind, request.object())) {
    return change.refuse({Code::kResourceNotFound,
                          "There is no object '" + request.kind().substr(0, 20) + "/" +
                              request.object().substr(0, 80) + "'.",
                          "Use vm/NAME, group/NAME, node/NAME or cluster."});
  }
  const Result<const PropertySpec*> spec = lookup(*kind, request.name());
  if (!spec.ok()) return change.refuse(spec.error());
  Result<Value> value = decode_value(request.value());
  if (!value.ok()) return change.refuse(value.error());
  if (const auto error = check_client_write(*spec.value(), value.value())) {
    return change.refuse(*error);
  }
  const std::string_view property = spec.value()->name;
  if (*kind == ObjectKind::kVm && property == "MigrationState") {
    return write_migration_state(change, *state.vm(request.object()), value.value());
  }
  if (const auto error = change_refused(state, *kind, request.object(), property, value.value())) {
    return change.refuse(*error);
  }
  const PostCopyLimits limits = post_copy_limits(state);
  state.put_property(*kind, request.object(), property, value.value());
  extend_post_copies(state, limits);
  change.note_slots();
  if (*kind == ObjectKind::kNode) note_transfers(change, *state.node_named(request.object()));
  if (*kind == ObjectKind::kCluster) {
    change.applied().cluster_properties = true;
    raise_lease_bound(state);
  }
  const std::string object =
      request.object().empty() ? request.kind() : request.kind() + "/" + request.object();
  change.event("property", object).text("name", property).text("value", to_text(value.value()));
  change.accept();
}

}  // namespace failsim
