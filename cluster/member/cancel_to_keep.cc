#include "cluster/member/cancel_to_keep.h"

#include <cstdint>
#include <string>

#include "cluster/error.h"
#include "cluster/migration/job.h"
#include "cluster/state/job_row.h"

namespace failsim {
namespace {

constexpr auto kTerminate = static_cast<std::uint32_t>(RequestedState::kTerminate);
constexpr auto kKill = static_cast<std::uint32_t>(RequestedState::kKill);

// The migration that is meant; null if the request cancels none.
const pb::Task* canceled_by(const ClusterState& state, const pb::Request& request) {
  if (request.has_cancel_task()) return state.task(request.cancel_task().task());
  if (request.has_cancel_migration()) {
    const pb::Request::CancelMigration& cancel = request.cancel_migration();
    const pb::Vm* vm = state.vm(cancel.vm());
    const pb::Task* task = vm == nullptr ? nullptr : state.open_migration(*vm);
    const bool is_meant =
        task != nullptr && !(cancel.only_begun() && waits_for_its_turn(task->job()));
    return is_meant ? task : nullptr;
  }
  const std::uint32_t wish = request.request_state_change().requested_state();
  const bool ends = request.has_request_state_change() && (wish == kTerminate || wish == kKill);
  return ends ? state.task(request.request_state_change().job()) : nullptr;
}

pb::Request for_job(const pb::Request& request, TaskId job) {
  pb::Request pinned = request;
  if (pinned.has_cancel_migration()) pinned.mutable_cancel_task()->set_task(job);
  return pinned;
}

pb::Reply not_ordered(const pb::Request& request, const pb::Task& task, NodeId self) {
  const pb::MigrationJob& job = task.job();
  const std::string asked = node_name(self);
  const std::string source =
      waits_for_its_turn(job)
          ? ""
          : ", and the source " + node_name(job.source()) +
                " sends nothing more of it from when it hears of the cancel until then";
  pb::Reply reply;
  reply.set_code(static_cast<std::uint32_t>(Code::kIoPending));
  reply.set_message("The cancel of the migration of VM '" + job.vm() + "' (job " +
                    std::to_string(task.id()) + ") is accepted and not ordered yet, because " +
                    asked + " finds no leader: " + asked + " looks for one for " +
                    std::to_string(kCancelKept / kSecond) + " s" + source + ".");
  reply.set_next("When there is a leader again ('failsim status'), see 'failsim migrate show " +
                 job.vm() + "', and cancel again if the migration still goes on: what " + asked +
                 " keeps ends with it.");
  reply.set_task(task.id());
  reply.set_job_state(job.job_state());
  if (request.has_request_state_change()) {
    reply.set_return_value(static_cast<std::uint32_t>(ReturnValue::kTransitionStarted));
  }
  return reply;
}

}  // namespace

std::optional<CancelToKeep> cancel_to_keep(const ClusterState& state, const pb::Request& request,
                                           NodeId self) {
  const pb::Task* task = canceled_by(state, request);
  if (task == nullptr || !task->has_job()) return std::nullopt;
  const bool cancels =
      answer(standing_of(task->job()), kTerminate).value == ReturnValue::kCompleted;
  if (!cancels) return std::nullopt;
  return CancelToKeep{task->id(), task->job().source(), for_job(request, task->id()),
                      not_ordered(request, *task, self)};
}

}  // namespace failsim
