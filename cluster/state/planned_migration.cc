#include "cluster/state/planned_migration.h"

#include <algorithm>
#include <string>
#include <utility>

#include "cluster/migration/bandwidth.h"
#include "cluster/migration/precopy.h"
#include "cluster/state/migration_check.h"
#include "cluster/state/object_name.h"
#include "cluster/vm/guest_model.h"

namespace failsim {
namespace {

std::string milliseconds(Duration duration) {
  return std::to_string(duration / kMillisecond) + " ms";
}

std::optional<Error> parameters_refused(const pb::MigrationParameters& parameters) {
  const auto bad = [](std::string message, std::string next) {
    return Error{Code::kInvalidParameter, std::move(message), std::move(next)};
  };
  if (parameters.downtime_limit_ns() < 0 || parameters.max_downtime_ns() < 0 ||
      parameters.timeout_ns() < 0) {
    return bad("A migration cannot have a limit of less than no time.",
               "Leave the limit out, or give a positive one.");
  }
  if (const std::uint64_t limit = parameters.bandwidth_bytes_per_second(); limit != 0) {
    if (auto error = bandwidth_refused(limit)) return error;
  }
  if (!pb::OnNoConvergence_IsValid(parameters.on_no_convergence())) {
    return bad("There is no way number " + std::to_string(parameters.on_no_convergence()) +
                   " to deal with a migration that does not converge.",
               "Give go-on, fail, switch, throttle or post-copy.");
  }
  if (parameters.streams() > kStreamsMax) {
    return bad("A migration cannot have " + std::to_string(parameters.streams()) + " streams.",
               "Give --streams 1 to " + std::to_string(kStreamsMax) + ".");
  }
  if (!pb::Compression_IsValid(parameters.compression())) {
    return bad("There is no compression number " + std::to_string(parameters.compression()) + ".",
               "Give off or zstd.");
  }
  const ThrottleSteps steps = settings_of(parameters).throttle;
  if (parameters.throttle_most_percent() >= 100 || steps.first_percent > steps.most_percent) {
    return bad("A guest cannot be throttled by " + std::to_string(steps.first_percent) +
                   " % at first and by " + std::to_string(parameters.throttle_most_percent()) +
                   " % at most.",
               "Give --throttle FIRST,STEP,MOST, with FIRST at most MOST and MOST at most 99.");
  }
  const Duration limit = settings_of(parameters).downtime_limit;
  const Duration most = parameters.max_downtime_ns();
  if (most != 0 && most < limit) {
    return bad("The maximum downtime of " + milliseconds(most) +
                   " is less than the downtime limit of " + milliseconds(limit) + ".",
               "Give a --max-downtime of at least the --downtime-limit.");
  }
  return std::nullopt;
}

// 0 if none was ever measured.
std::uint64_t observed_link(const ClusterState& state, NodeId one, NodeId other) {
  std::uint64_t observed = 0;
  for (const auto& [id, task] : state.tasks()) {
    const pb::MigrationJob& job = task->job();
    const bool is_between =
        task->has_job() && std::minmax(job.source(), job.target()) == std::minmax(one, other);
    const std::uint64_t rate = job.statistics().sent_bytes_per_second();
    if (is_between && job.parameters().bandwidth_bytes_per_second() == 0 && rate > 0) {
      observed = rate;
    }
  }
  return observed;
}

}  // namespace

std::optional<Error> migration_refused(const ClusterState& state,
                                       const pb::Request::Migrate& request) {
  const pb::Vm* vm = state.vm(request.vm());
  if (vm == nullptr) return no_such_vm(request.vm());
  if (const auto error = parameters_refused(request.parameters())) return error;
  const auto failed = failed_checks(state, *vm, request.target(), request.target_name());
  if (!failed.empty()) return joined(failed);
  return std::nullopt;
}

Result<PlannedMigration> plan_migration(const ClusterState& state,
                                        const pb::Request::Migrate& request,
                                        const Watched& watched) {
  if (const auto error = migration_refused(state, request)) return *error;
  const pb::Vm& vm = *state.vm(request.vm());
  const PrecopySettings settings = settings_of(request.parameters());
  const std::uint64_t limit = settings.bandwidth_bytes_per_second;
  const std::uint64_t observed = watched.link_bytes_per_second > 0
                                     ? watched.link_bytes_per_second
                                     : observed_link(state, vm.owner(), request.target());
  PlannedMigration plan;
  plan.link_bytes_per_second =
      observed == 0 ? limit : std::min(observed, limit == 0 ? observed : limit);
  if (plan.link_bytes_per_second == 0) {
    return Error{Code::kNotFound,
                 "Nobody knows yet how fast the link from " + node_name(vm.owner()) + " to " +
                     node_name(request.target()) +
                     " is: no migration without a bandwidth limit has used it.",
                 "Give a --bandwidth to reckon with, or migrate there once."};
  }
  const pb::VmConfig& config = vm.config();
  const std::uint64_t sent = config.fill() == pb::FILL_ZERO
                                 ? working_set_pages_of(config) * kPageBytes
                                 : config.memory_bytes();
  plan.is_watched = watched.guest.has_value();
  const DirtyHabit guest = watched.guest.value_or(habit_of(config));
  plan.guest = guest.in_numbers();
  plan.forecast = forecast(settings, sent, guest, plan.link_bytes_per_second);
  return plan;
}

}  // namespace failsim
