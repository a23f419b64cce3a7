#include "cluster/state/post_copy_deadline.h"

#include <utility>

#include "cluster/migration/bandwidth.h"
#include "cluster/migration/post_copy.h"
#include "cluster/migration/transfer_rate.h"

namespace failsim {
namespace {

// Of what the node may send in all, if as many send as may; 0 = any.
std::uint64_t least_share(const ClusterState& state, NodeId source) {
  const pb::Node* node = state.node(source);
  if (node == nullptr) return 0;
  const std::uint64_t limit =
      state.property(ObjectKind::kNode, node->name(), "MigrationBandwidthLimit").number();
  return bandwidth_share(limit, state.cluster_dword("MaximumParallelMigrations"));
}

}  // namespace

Duration post_copy_limit(const ClusterState& state, const pb::Vm& vm, const pb::MigrationJob& job) {
  pb::MigrationParameters parameters = job.parameters();
  parameters.set_bandwidth_bytes_per_second(
      smaller_bandwidth(parameters.bandwidth_bytes_per_second(), least_share(state, job.source())));
  return post_copy_limit(vm.config(), parameters);
}

PostCopyLimits post_copy_limits(const ClusterState& state) {
  PostCopyLimits limits;
  for (const auto& [name, vm] : state.vms()) {
    const pb::Task* task = state.job_of(*vm);
    if (task == nullptr || !pages_follow(*vm, *task)) continue;
    limits[task->id()] = post_copy_limit(state, *vm, task->job());
  }
  return limits;
}

void extend_post_copies(ClusterState& state, const PostCopyLimits& before) {
  for (const auto& [id, limit] : post_copy_limits(state)) {
    const auto former = before.find(id);
    if (former == before.end() || limit <= former->second) continue;
    pb::Task task = *state.task(id);
    pb::MigrationJob& job = *task.mutable_job();
    job.set_phase_deadline_ns(add(job.phase_deadline_ns(), limit - former->second));
    state.put(std::move(task));
  }
}

}  // namespace failsim
