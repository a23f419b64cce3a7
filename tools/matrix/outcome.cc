#include "tools/matrix/outcome.h"

#include <array>

#include "cluster/migration/migration_state.h"

namespace failsim::matrix {
namespace {

constexpr std::array<std::string_view, kEnds> kNames = {"not started",
                                                        "completed",
                                                        "canceled",
                                                        "failed, on the source",
                                                        "failed, cold restart",
                                                        "completed, then cold restart",
                                                        "canceled, then cold restart",
                                                        "failed, then cold restart",
                                                        "cold restart, then the request",
                                                        "stuck"};

}  // namespace

std::string_view name(End end) {
  return kNames[static_cast<std::size_t>(end)];
}

std::string to_text(Ends ends) {
  std::string text;
  for (std::size_t i = 0; i < kEnds; ++i) {
    if (!ends.contains(static_cast<End>(i))) continue;
    text += (text.empty() ? "" : " or ") + std::string(kNames[i]);
  }
  return text;
}

End end_of(const ClusterState& state, const Before& before) {
  const pb::Vm* vm = state.vm(before.vm);
  if (vm == nullptr) return End::kStuck;
  const pb::Task* task = state.last_migration(before.vm);
  if (task == nullptr) return End::kNotStarted;
  if (!task->complete()) return End::kStuck;
  if (task->job().source() != before.source) return End::kRestartedFirst;
  const bool restarted = vm->boot_id() != before.boot_id;
  const bool at_source = vm->owner() == before.source;
  const bool at_target = vm->owner() == task->job().target();
  switch (state.migration_state(before.vm)) {
    case MigrationState::kNoMigration:
      if (restarted) return End::kCompletedRestarted;
      return at_target ? End::kCompleted : End::kStuck;
    case MigrationState::kCanceled:
      if (restarted) return End::kCanceledRestarted;
      return at_source ? End::kCanceled : End::kStuck;
    case MigrationState::kFailure:
      if (restarted)
        return task->job().restarted_elsewhere() ? End::kRestarted : End::kFailedRestarted;
      return at_source ? End::kFailed : End::kStuck;
    default:
      return End::kStuck;
  }
}

}  // namespace failsim::matrix
