#include "node/api/job_properties.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <boost/json/array.hpp>

#include "cluster/migration/job.h"
#include "cluster/migration/migration_state.h"
#include "cluster/state/apply.h"
#include "cluster/state/job_row.h"
#include "cluster/state/migration_queue.h"
#include "cluster/vm/task_result.h"
#include "node/api/time_text.h"

namespace failsim::node::render {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kMigrationType = 32768;  // VirtualSystem: live
constexpr std::uint32_t kJobType = 305;
constexpr std::uint32_t kHealthOk = 5;
constexpr std::uint32_t kHealthNonRecoverable = 30;
constexpr std::uint32_t kOperationalOk = 2;

json::value text(std::string_view text) {
  return json::string(text.data(), text.size());
}

json::object named(std::uint32_t value, std::string_view name) {
  return {{"value", value}, {"name", text(name)}};
}

JobState state_of(const JobView& view) {
  return *job_state_of(view.task.job().job_state());
}

bool has_begun(const JobView& view) {
  return view.task.job().started_ns() != 0;
}

// When it was asked for, in cluster time. One that waited was asked to start then.
Duration submitted_at(const pb::MigrationJob& job) {
  const bool has_waited =
      job.requests_size() > 0 &&
      job.requests(0).requested_state() == static_cast<std::uint32_t>(RequestedState::kStart) &&
      (job.started_ns() == 0 || job.requests(0).at_ns() < job.started_ns());
  if (has_waited) return job.requests(0).at_ns();
  return job.started_ns() != 0 ? job.started_ns() : job.state_changed_ns();
}

// Cluster time as people's time: as much later as it is after the request.
json::value wall_time(const JobView& view, Duration at) {
  const std::int64_t later = at - submitted_at(view.task.job());
  return text(rfc3339_utc(view.task.created_wall_ns() + later));
}

// ---- The properties, in the order of the table --------------------------------------------------

json::value instance_id(const JobView& view) {
  return text("failsim:" + view.state.cluster().name() + "/" + std::to_string(view.task.id()));
}

json::value job_id(const JobView& view) {
  return view.task.id();
}

json::value vm(const JobView& view) {
  return text(view.task.job().vm());
}

json::value job_state(const JobView& view) {
  return named(view.task.job().job_state(), name(state_of(view)));
}

json::value job_status(const JobView& view) {
  const JobState state = state_of(view);
  const auto phase = migration_state_of(view.task.job().phase());
  if (state == JobState::kNew) return text(why_it_waits(view.state, view.task));
  if (view.task.complete()) return text(name(state));
  if (view.task.job().phase() == 0) return text("The target takes over");
  return text(std::string(name(state)) + " in " +
              std::string(phase ? name(*phase) : std::string_view("an unknown phase")));
}

json::value percent_complete(const JobView& view) {
  return migration_progress(view.task, view.live);
}

json::value cancellable(const JobView& view) {
  const auto terminate = static_cast<std::uint32_t>(RequestedState::kTerminate);
  return answer(standing_of(view.task.job()), terminate).value == ReturnValue::kCompleted;
}

json::value virtual_system_name(const JobView& view) {
  const pb::Vm* row = view.state.vm(view.task.job().vm());
  return row == nullptr ? json::value(nullptr) : text(row->vm_id());
}

json::value destination_host(const JobView& view) {
  return text(node_name(view.task.job().target()));
}

json::value migration_type(const JobView&) {
  return named(kMigrationType, "VirtualSystem");
}

json::value job_type(const JobView&) {
  return named(kJobType, "Moving Virtual System");
}

json::value time_submitted(const JobView& view) {
  return text(rfc3339_utc(view.task.created_wall_ns()));
}

json::value start_time(const JobView& view) {
  return has_begun(view) ? wall_time(view, view.task.job().started_ns()) : json::value(nullptr);
}

// As far as this node has applied.
json::value elapsed_time(const JobView& view) {
  if (!has_begun(view)) return text(format_interval(0));
  const pb::MigrationJob& job = view.task.job();
  const Duration until = job.ended_ns() != 0 ? job.ended_ns() : view.state.cluster().time_ns();
  return text(format_interval(std::max<Duration>(until - job.started_ns(), 0)));
}

json::value time_of_last_state_change(const JobView& view) {
  return wall_time(view, view.task.job().state_changed_ns());
}

// A Win32 code fits, others are a plain Failed.
json::value error_code(const JobView& view) {
  const std::uint32_t code = view.task.error();
  constexpr std::uint32_t kMost = std::numeric_limits<std::uint16_t>::max();
  return code <= kMost ? code : static_cast<std::uint32_t>(ReturnValue::kFailed);
}

json::value error_description(const JobView& view) {
  return text(view.task.error_message());
}

json::value error_summary_description(const JobView& view) {
  if (view.task.error() == 0) return text("");
  const auto result = task_result_of(view.task.result());
  return text(result ? description(*result) : std::string_view("Unknown"));
}

json::value time_before_removal(const JobView&) {
  return text(format_interval(kJobsKeptFor));
}

json::value delete_on_completion(const JobView&) {
  return false;
}

json::value operational_status(const JobView&) {
  return json::array{named(kOperationalOk, "OK")};
}

json::value health_state(const JobView& view) {
  return state_of(view) == JobState::kException
             ? named(kHealthNonRecoverable, "Non-recoverable error")
             : named(kHealthOk, "OK");
}

json::value requests(const JobView& view) {
  json::array all;
  for (const pb::StateRequest& request : view.task.job().requests()) {
    const auto value = return_value_of(request.return_value());
    json::value deadline = nullptr;
    if (request.deadline_ns() != 0) deadline = wall_time(view, request.deadline_ns());
    all.push_back(json::object{
        {"requested_state",
         named(request.requested_state(), requested_state_name(request.requested_state()))},
        {"return_value",
         named(request.return_value(), value ? name(*value) : std::string_view("Unknown"))},
        {"time", wall_time(view, request.at_ns())},
        {"deadline", std::move(deadline)},
        {"outcome", request.outcome()}});
  }
  return all;
}

constexpr std::string_view kOwn = "failsim's own";

constexpr JobProperty kProperties[] = {
    {"instance_id", "InstanceID", instance_id},
    {"job_id", kOwn, job_id},
    {"vm", kOwn, vm},
    {"job_state", "JobState", job_state},
    {"job_status", "JobStatus", job_status},
    {"percent_complete", "PercentComplete", percent_complete},
    {"cancellable", "Cancellable", cancellable},
    {"virtual_system_name", "VirtualSystemName", virtual_system_name},
    {"destination_host", "DestinationHost", destination_host},
    {"migration_type", "MigrationType", migration_type},
    {"job_type", "JobType", job_type},
    {"time_submitted", "TimeSubmitted", time_submitted},
    {"start_time", "StartTime", start_time},
    {"elapsed_time", "ElapsedTime", elapsed_time},
    {"time_of_last_state_change", "TimeOfLastStateChange", time_of_last_state_change},
    {"error_code", "ErrorCode", error_code},
    {"error_description", "ErrorDescription", error_description},
    {"error_summary_description", "ErrorSummaryDescription", error_summary_description},
    {"time_before_removal", "TimeBeforeRemoval", time_before_removal},
    {"delete_on_completion", "DeleteOnCompletion", delete_on_completion},
    {"operational_status", "OperationalStatus", operational_status},
    {"health_state", "HealthState", health_state},
    {"requests", kOwn, requests},
};

}  // namespace

std::span<const JobProperty> job_properties() {
  return kProperties;
}

json::object job(const ClusterState& state, const pb::Task& task, const Live& live) {
  const JobView view{state, task, live};
  json::object all;
  for (const JobProperty& property : kProperties) {
    all[json::string_view(property.key.data(), property.key.size())] = property.value(view);
  }
  return all;
}

json::value job_error(const pb::Task& task) {
  if (task.error() == 0) return nullptr;
  json::array actions;
  if (!task.error_next().empty()) actions.push_back(text(task.error_next()));
  return json::object{{"error_source", text("vm/" + task.job().vm())},
                      {"owning_entity", "failsim"},
                      {"message_id", code_name(static_cast<Code>(task.error()))},
                      {"message", task.error_message()},
                      {"recommended_actions", std::move(actions)}};
}

}  // namespace failsim::node::render
