#include "node/api/render.h"

#include <algorithm>

#include "cluster/ids.h"
#include "cluster/migration/job.h"
#include "cluster/migration/migration_state.h"
#include "cluster/migration/progress.h"
#include "cluster/state/migration_check.h"
#include "cluster/state/migration_queue.h"
#include "cluster/time.h"
#include "cluster/vm/task_result.h"
#include "cluster/vm/vm_state.h"
#include "node/api/time_text.h"

namespace failsim::node::render {
namespace {

namespace json = boost::json;

constexpr std::string_view kPatterns[] = {"uniform", "hot-set", "sequential"};
constexpr std::string_view kFills[] = {"random", "zero"};
constexpr std::string_view kNodeStates[] = {"Up", "Down", "Paused", "Joining"};

json::value text(std::string_view text) {
  return json::string(text.data(), text.size());
}

json::object named(std::uint32_t value, std::string_view name) {
  return {{"value", value}, {"name", text(name)}};
}

template <std::size_t Size>
json::value word(const std::string_view (&words)[Size], int value) {
  const auto index = static_cast<std::size_t>(value);
  return index < Size ? text(words[index]) : json::value(nullptr);
}

template <typename Enumeration>
json::object named(std::uint32_t value, std::optional<Enumeration> known) {
  return named(value, known ? name(*known) : std::string_view("Unknown"));
}

json::value name_of(const ClusterState& state, NodeId id) {
  if (id == kNoNode) return nullptr;
  const pb::Node* const row = state.node(id);
  return text(row != nullptr ? row->name() : node_name(id));
}

json::object node_state(const pb::Node& node) {
  return {{"value", static_cast<std::uint32_t>(node.state())},
          {"name", word(kNodeStates, node.state())}};
}

std::int64_t milliseconds(Duration duration) {
  return duration / kMillisecond;
}

json::value task_error(const pb::Task& task) {
  if (task.error() == 0) return nullptr;
  return json::object{{"code", task.error()},
                      {"name", code_name(static_cast<Code>(task.error()))},
                      {"message", task.error_message()},
                      {"next", task.error_next()}};
}

json::value result(const pb::Task& task) {
  if (!task.complete()) return nullptr;
  return named(task.result(), task_result_of(task.result()));
}

json::object migration_state(std::uint32_t value) {
  return named(value, migration_state_of(value));
}

json::value guest(const Live& live) {
  if (!live || !live->has_guest()) return nullptr;
  return json::object{
      {"counter", live->counter()}, {"boot_id", live->boot_id()}, {"executing", live->executing()}};
}

// Unknown until the target has checked every page.
json::value digest_match(const pb::MigrationStatistics& statistics) {
  if (statistics.digest() == pb::MigrationStatistics::DIGEST_UNKNOWN) return nullptr;
  return statistics.digest() == pb::MigrationStatistics::DIGEST_MATCH;
}

json::array rounds_record(const google::protobuf::RepeatedPtrField<pb::MigrationRound>& rounds) {
  json::array shown;
  for (const pb::MigrationRound& round : rounds) {
    json::value decided = nullptr;
    if (round.decision() <= static_cast<std::uint32_t>(PrecopyDecision::kPostCopy)) {
      decided = text(name(static_cast<PrecopyDecision>(round.decision())));
    }
    shown.push_back(json::object{{"number", round.number()},
                                 {"bytes_sent", round.sent_bytes()},
                                 {"duration_ms", milliseconds(round.duration_ns())},
                                 {"bytes_dirty", round.dirty_bytes()},
                                 {"sent_bytes_per_second", round.sent_bytes_per_second()},
                                 {"dirty_bytes_per_second", round.dirty_bytes_per_second()},
                                 {"throttle_percent", round.throttle_percent()},
                                 {"decision", decided}});
  }
  return shown;
}

json::value number_or_text(const Value& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value.content)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(&value.content)) return *number;
  return text(to_text(value));
}

json::value field_value(const pb::EventRecord::Field& field) {
  switch (field.value_case()) {
    case pb::EventRecord::Field::kText:
      return text(field.text());
    case pb::EventRecord::Field::kNumber:
      return field.number();
    case pb::EventRecord::Field::kNamed:
      return named(field.named().value(), field.named().name());
    case pb::EventRecord::Field::kFlag:
      return field.flag();
    case pb::EventRecord::Field::VALUE_NOT_SET:
      break;
  }
  return nullptr;
}

bool is_transferring(const pb::Task& task, const Live& live) {
  return !task.complete() && live.has_value() && live->has_transfer();
}

}  // namespace

std::uint32_t migration_progress(const pb::Task& task, const Live& live) {
  if (!is_transferring(task, live)) return task.progress();
  return std::max(task.progress(), std::min(live->migration_progress(), kProgressAtMove));
}

json::object status(const ClusterState& state, const Standing& standing) {
  json::array nodes;
  for (const auto& [id, row] : state.nodes()) {
    json::value pid = nullptr;  // of another node only its launcher knows it
    if (id == standing.self) pid = standing.process_id;
    nodes.push_back(json::object{{"name", row->name()},
                                 {"state", node_state(*row)},
                                 {"pid", pid},
                                 {"address", row->address()}});
  }
  return {{"cluster", state.cluster().name()},
          {"quorum", standing.has_quorum},
          {"leader", name_of(state, standing.leader)},
          {"nodes", std::move(nodes)}};
}

json::object node(const ClusterState& state, const pb::Node& node) {
  json::array vms;
  for (const auto& [name, row] : state.vms()) {
    if (row->owner() == node.id()) vms.push_back(text(name));
  }
  return {{"name", node.name()},
          {"id", node.id()},
          {"state", node_state(node)},
          {"address", node.address()},
          {"incarnation", node.incarnation()},
          {"memory_bytes", node.memory_bytes()},
          {"memory_in_use_bytes", state.memory_in_use(node.id())},
          {"vms", std::move(vms)}};
}

json::object transport(const TransportCounters& counters) {
  return {{"frames_sent", counters.frames_sent},
          {"frames_received", counters.frames_received},
          {"heartbeats_sent", counters.heartbeats_sent},
          {"heartbeats_received", counters.heartbeats_received},
          {"dropped_oversized", counters.dropped_oversized},
          {"dropped_wrong_version", counters.dropped_wrong_version},
          {"dropped_corrupt", counters.dropped_corrupt},
          {"dropped_foreign_cluster", counters.dropped_foreign_cluster},
          {"dropped_old_epoch", counters.dropped_old_epoch},
          {"dropped_misaddressed", counters.dropped_misaddressed},
          {"dropped_queue_full", counters.dropped_queue_full},
          {"links_lost", counters.links_lost}};
}

std::uint32_t migration_progress(const ClusterState& state, const std::string& vm,
                                 const Live& live) {
  const pb::Task* const last = state.last_migration(vm);
  return last != nullptr ? migration_progress(*last, live) : 0;
}

json::object vm(const ClusterState& state, const pb::Vm& vm, const Live& live) {
  const auto migration = static_cast<std::uint32_t>(state.migration_state(vm.name()));
  const auto reason = static_cast<std::uint32_t>(
      state.property(ObjectKind::kVm, vm.name(), "MigrationFailureReason").number());
  json::value job = nullptr;
  if (const pb::Task* const open = state.open_migration(vm)) job = open->id();
  const std::uint64_t status =
      state.property(ObjectKind::kGroup, vm.name(), "StatusInformation").number();
  return {{"name", vm.name()},
          {"vm_id", vm.vm_id()},
          {"state", named(vm.state(), vm_state_of(vm.state()))},
          {"owner_node", name_of(state, vm.owner())},
          {"epoch", to_string(Epoch{vm.epoch().recovery(), vm.epoch().counter()})},
          {"memory_bytes", vm.config().memory_bytes()},
          {"dirty_bytes_per_second", vm.config().dirty_bytes_per_second()},
          {"working_set_bytes", vm.config().working_set_bytes()},
          {"pattern", word(kPatterns, vm.config().pattern())},
          {"fill", word(kFills, vm.config().fill())},
          {"modelled", vm.config().modelled()},
          {"migration_state", migration_state(migration)},
          {"migration_progress", migration_progress(state, vm.name(), live)},
          {"migration_failure_reason", named(reason, migration_failure_of(reason))},
          {"status_information",
           named(static_cast<std::uint32_t>(status),
                 status == kWaitingInQueueForMove ? "WAITING_IN_QUEUE_FOR_MOVE" : "Normal")},
          {"job_id", job},
          {"guest", guest(live)}};
}

json::object migration(const ClusterState& state, const pb::Task& task, const Live& live) {
  const pb::MigrationJob& job = task.job();
  const bool is_live = is_transferring(task, live);
  const pb::MigrationStatistics& statistics = is_live ? live->statistics() : job.statistics();
  return {{"job_id", task.id()},
          {"vm", job.vm()},
          {"from", name_of(state, job.source())},
          {"to", name_of(state, job.target())},
          {"migration_state", migration_state(job.phase())},
          {"migration_progress", migration_progress(task, live)},
          {"job_state", named(job.job_state(), job_state_of(job.job_state()))},
          {"result", result(task)},
          {"is_complete", task.complete()},
          {"rounds", statistics.rounds()},
          {"bytes_sent", statistics.bytes_sent()},
          {"bytes_remaining", is_live ? live->bytes_remaining() : 0},
          {"dirty_bytes_per_second", statistics.dirty_bytes_per_second()},
          {"working_set_bytes", statistics.working_set_bytes()},
          {"sent_bytes_per_second", statistics.sent_bytes_per_second()},
          {"throttle_percent", statistics.throttle_percent()},
          {"not_converging", statistics.not_converging()},
          {"expected_total_ms", milliseconds(statistics.expected_total_ns())},
          {"expected_downtime_ms", milliseconds(statistics.expected_downtime_ns())},
          {"total_ms", milliseconds(statistics.total_ns())},
          {"downtime_ms", milliseconds(statistics.downtime_ns())},
          {"downtime_limit_ms", milliseconds(job.parameters().downtime_limit_ns())},
          {"max_downtime_ms", milliseconds(job.parameters().max_downtime_ns())},
          {"downtime_cause", statistics.downtime_cause()},
          {"forced_switch", statistics.forced_switch()},
          {"post_copy", job.post_copy()},
          {"requested_pages", statistics.requested_pages()},
          {"followed_pages", statistics.followed_pages()},
          {"stalled_ms", milliseconds(statistics.stalled_ns())},
          {"streams", std::max(job.parameters().streams(), 1U)},
          {"compression", job.parameters().compression() == pb::COMPRESSION_ZSTD ? "zstd" : "off"},
          {"zero_pages", statistics.zero_pages()},
          {"duplicate_pages", statistics.duplicate_pages()},
          {"compressed_pages", statistics.compressed_pages()},
          {"kept_pages", statistics.kept_pages()},
          {"digest_match", digest_match(job.statistics())},
          {"restarted_elsewhere", job.restarted_elsewhere()},
          {"rounds_record",
           rounds_record(is_live && live->rounds_size() > job.rounds_size() ? live->rounds()
                                                                            : job.rounds())},
          {"error", task_error(task)}};
}

json::object migration_check(const ClusterState& state, const pb::Vm& vm,
                             const pb::Request::Migrate& asked) {
  const std::vector<FailedCheck> failed =
      failed_checks(state, vm, asked.target(), asked.target_name());
  json::array checks;
  for (const FailedCheck& check : failed) {
    checks.push_back(json::object{
        {"check", text(check.check)},
        {"return_value", named(static_cast<std::uint32_t>(check.returns), name(check.returns))},
        {"message", check.error.message},
        {"next", check.error.next}});
  }
  const CheckReturn returns = check_return(failed);
  return {{"vm", vm.name()},
          {"from", name_of(state, vm.owner())},
          {"to", asked.target_name()},
          {"is_migratable", failed.empty()},
          {"return_value", named(static_cast<std::uint32_t>(returns), name(returns))},
          {"would_wait", failed.empty() && would_wait(state, vm.owner(), asked.target())},
          {"failed_checks", std::move(checks)}};
}

json::object forecast(const ClusterState& state, const pb::Request::Migrate& asked,
                      const PlannedMigration& plan) {
  const MigrationForecast& told = plan.forecast;
  return {{"vm", asked.vm()},
          {"from", name_of(state, state.vm(asked.vm())->owner())},
          {"to", name_of(state, asked.target())},
          {"converges", told.ends_with == PrecopyDecision::kSwitch},
          {"succeeds", told.ends_with != PrecopyDecision::kFail},
          {"post_copy", told.ends_with == PrecopyDecision::kPostCopy},
          {"rounds", told.rounds},
          {"bytes_sent", told.sent_bytes},
          {"total_ms", milliseconds(told.total)},
          {"downtime_ms", milliseconds(told.downtime)},
          {"dirty_bytes_per_second", plan.guest.bytes_per_second},
          {"working_set_bytes", plan.guest.working_set_bytes},
          {"sent_bytes_per_second", plan.link_bytes_per_second},
          {"throttle_percent", told.throttle_percent},
          {"is_watched", plan.is_watched},
          {"not_converging", told.not_converging}};
}

json::object task(const pb::Task& task) {
  return {{"id", task.id()},          {"kind", task.kind()},
          {"object", task.object()},  {"progress", task.progress()},
          {"result", result(task)},   {"is_complete", task.complete()},
          {"error", task_error(task)}};
}

json::object event(const pb::EventRecord& event) {
  json::object rendered{{"number", event.number()},
                        {"time", rfc3339_utc(event.wall_time_ns())},
                        {"node", nullptr},
                        {"kind", event.kind()},
                        {"object", event.object()}};
  if (event.node() != kNoNode) rendered["node"] = node_name(event.node());
  for (const auto& field : event.fields()) rendered[field.name()] = field_value(field);
  return rendered;
}

json::object property(const PropertySpec& spec, const Value& value) {
  return {{"name", text(spec.name)},
          {"value", number_or_text(value)},
          {"type", text(name(spec.format))},
          {"minimum", spec.minimum},
          {"maximum", spec.maximum},
          {"default", number_or_text(default_value(spec))},
          {"access", spec.access == Access::kReadOnly ? "read-only" : "read/write"}};
}

}  // namespace failsim::node::render
