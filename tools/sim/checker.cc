#include "tools/sim/checker.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>

#include "cluster/membership/lease.h"
#include "cluster/state/cluster_state.h"

namespace failsim::sim {
namespace {

// A state is hashed when it has moved on by so many entries: hashing costs the whole state.
constexpr Index kHashEvery = 32;

constexpr std::string_view kVmRow = "vm/";
constexpr std::string_view kTaskRow = "task/";

TaskId task_of_key(std::string_view key) {
  TaskId id = 0;
  key.remove_prefix(kTaskRow.size());
  std::from_chars(key.data(), key.data() + key.size(), id);
  return id;
}

const pb::EventRecord::Field* field(const pb::EventRecord& event, std::string_view name) {
  for (const pb::EventRecord::Field& field : event.fields()) {
    if (field.name() == name) return &field;
  }
  return nullptr;
}

}  // namespace

invariants::Findings& Checker::findings() {
  findings_.set_now(queue_.now());
  return findings_;
}

void Checker::process_started(NodeId node) {
  progress_[node] = Progress();
  logs_.restarted(node);
  ownership_.restarted(node);
  jobs_.restarted(node);
  events_.restarted(node);
}

void Checker::process_ended(NodeId node, Incarnation incarnation) {
  executions_.node_died(node, queue_.now());
  guests_stopped(node, incarnation);
}

void Checker::guests_stopped(NodeId node, Incarnation incarnation) {
  findings_.set_now(queue_.now());
  if (clocks_are_bounded_) handover_.gone({node, incarnation}, queue_.now());
}

void Checker::after_step(const Member& member, const Effects& effects) {
  findings_.set_now(queue_.now());
  check_log(member, effects);
  const DurableBatch& batch = effects.durable;
  if (batch.replace_rows) {
    ownership_.restarted(member.self());
    jobs_.restarted(member.self());
    events_.restarted(member.self());
  }
  check_events(member, effects);
  if (!batch.rows.empty()) check_rows(member, batch);
  if (!batch.applied) return;
  Progress& progress = progress_[member.self()];
  if (*batch.applied / kHashEvery == progress.hashed / kHashEvery) return;
  progress.hashed = *batch.applied;
  state_hashes_.state(member.self(), *batch.applied, member.state().hash(), findings_);
}

void Checker::check_log(const Member& member, const Effects& effects) {
  const raft::Raft& log = member.log();
  Progress& progress = progress_[member.self()];
  if (log.leads() && log.term() != progress.led_term) {
    progress.led_term = log.term();
    elections_.leads(member.self(), log.term(), findings_);
  }
  for (const EntryPtr& entry : effects.durable.append) {
    pb::LogStart position;
    position.set_index(entry->index());
    position.set_term(entry->term());
    position.set_checksum(entry->checksum());
    logs_.appended(member.self(), position, findings_);
  }
  const Index commit = log.commit_index();
  if (commit == progress.commit) return;
  for (Index index = progress.commit + 1; index <= commit; ++index) {
    const EntryPtr entry = log.entry(index);
    if (entry == nullptr) continue;  // compacted away: its rows are compared by their hash
    logs_.committed(member.self(), log.position_of(index), findings_);
    if (clocks_are_bounded_) handover_feed_.committed(*entry);
  }
  if (commit < progress.commit) {
    logs_.committed(member.self(), log.position_of(commit), findings_);
  }
  progress.commit = commit;
}

void Checker::check_rows(const Member& member, const DurableBatch& batch) {
  const ClusterState& state = member.state();
  std::set<std::string> vms;
  for (const RowChange& row : batch.rows) {
    if (row.key.starts_with(kVmRow)) vms.insert(row.key.substr(kVmRow.size()));
    if (!row.key.starts_with(kTaskRow)) continue;
    const pb::Task* task = state.task(task_of_key(row.key));
    if (task == nullptr) continue;
    jobs_.task_row(member.self(), *task, findings_);
    if (task->has_job()) vms.insert(task->job().vm());
  }
  for (const std::string& vm : vms) check_vm(member, vm);
}

void Checker::check_vm(const Member& member, const std::string& name) {
  const ClusterState& state = member.state();
  const pb::Vm* vm = state.vm(name);
  if (vm == nullptr) return;
  ownership_.row(member.self(), *vm, findings_);
  const pb::Task* job = vm->job() == 0 ? nullptr : state.task(vm->job());
  // After Complete the job only waits for the target's word: the property has left Move already.
  const bool is_completing = job != nullptr && job->job().phase() == 0 && !job->complete();
  if (!is_completing) {
    jobs_.vm_row(*vm, job, static_cast<std::uint32_t>(state.migration_state(name)),
                 written_by_client_.contains(std::pair(member.self(), name)), findings_);
  }
  const pb::Node* owner = state.node(vm->owner());
  if (owner != nullptr) {
    invariants::check_memory(owner->id(), state.memory_in_use(owner->id()), owner->memory_bytes(),
                             findings_);
  }
}

void Checker::check_events(const Member& member, const Effects& effects) {
  for (const std::uint64_t number : effects.new_events) {
    const auto found = member.state().events().find(number);
    if (found == member.state().events().end()) continue;  // trimmed in the same step
    events_.applied(member.self(), *found->second, findings_);
    note_writer(member.self(), *found->second);
    const std::uint64_t last = history_.empty() ? 0 : history_.back().number();
    if (number <= last) continue;
    history_.push_back(*found->second);
    check_first_seen(history_.back());
    if (clocks_are_bounded_) handover_feed_.happened(history_.back(), member.state(), queue_.now());
  }
}

// Who wrote MigrationState last, as far as this replica has applied.
void Checker::note_writer(NodeId replica, const pb::EventRecord& event) {
  if (event.kind() != "migration-state") return;
  const std::pair key(replica, field(event, "vm")->text());
  if (field(event, "job_id")->number() == 0) {
    written_by_client_.insert(key);
  } else {
    written_by_client_.erase(key);
  }
}

void Checker::check_first_seen(const pb::EventRecord& event) {
  if (event.kind() == "migration-state") {
    migration_edges_.changed(field(event, "vm")->text(), field(event, "from")->named().value(),
                             field(event, "to")->named().value(), field(event, "job_id")->number(),
                             findings_);
  }
  if (event.kind() == "vm-deleted") migration_edges_.deleted(event.object().substr(3));
}

// ---- What guests and the shared volume do -------------------------------------------------------

void Checker::volume_recorded(const pb::VolumeRequest& request, NodeId node, Incarnation writer) {
  const Epoch epoch{request.epoch().recovery(), request.epoch().counter()};
  const std::uint64_t counter = request.has_append() ? request.append().counter() : 0;
  journals_.record(request.vm(), epoch, counter, node, writer, findings());
  handover::Action action;
  action.step = request.has_append() ? handover::Step::kWrite : handover::Step::kRegister;
  action.process = {node, writer};
  action.epoch = epoch;
  if (clocks_are_bounded_) handover_.takes(request.vm(), action, queue_.now());
}

void Checker::guest_executes(const handover::Process& process, const std::string& vm,
                             const Epoch& epoch, Time until) {
  invariants::Findings& found = clocks_are_bounded_ ? findings() : broken_assumptions_;
  found.set_now(queue_.now());
  executions_.executes(vm, process.node, queue_.now(), until, found);
  if (clocks_are_bounded_) handover_.executes(vm, process, epoch, queue_.now(), until);
}

void Checker::lease_lasts(const handover::Process& process, Time until) {
  if (clocks_are_bounded_) handover_.leased(process, until);
}

// A lease that was given under such a clock may still be in force when the clock is right again:
// once broken, the assumption stays so.
void Checker::clock_rate(NodeId node, std::int64_t ppm) {
  clock_ppm_[node] = ppm;
  const auto less = [](const auto& one, const auto& other) { return one.second < other.second; };
  const auto slowest = std::min_element(clock_ppm_.begin(), clock_ppm_.end(), less)->second;
  const auto fastest = std::max_element(clock_ppm_.begin(), clock_ppm_.end(), less)->second;
  const std::int64_t apart =
      std::max<std::int64_t>(fastest, 0) - std::min<std::int64_t>(slowest, 0);
  if (apart > kClockRatePerMille * 1000) clocks_are_bounded_ = false;
}

void Checker::guest_stops(const handover::Process& process, const std::string& vm) {
  findings_.set_now(queue_.now());
  executions_.stops(vm, process.node, queue_.now());
  if (clocks_are_bounded_) handover_.stops(vm, process, queue_.now());
}

void Checker::source_paused(const handover::Process& process, const std::string& vm, TaskId job) {
  findings_.set_now(queue_.now());
  handover::Action action;
  action.step = handover::Step::kPause;
  action.process = process;
  action.job = job;
  if (clocks_are_bounded_) handover_.takes(vm, action, queue_.now());
}

void Checker::target_holds_all(const handover::Process& process, const std::string& vm,
                               TaskId job) {
  findings_.set_now(queue_.now());
  handover::Action action;
  action.step = handover::Step::kHoldAll;
  action.process = process;
  action.job = job;
  if (clocks_are_bounded_) handover_.takes(vm, action, queue_.now());
}

void Checker::memory_used(NodeId node, std::uint64_t used, std::uint64_t memory) {
  invariants::check_memory(node, used, memory, findings());
}

void Checker::image_verified(NodeId, const std::string& vm, TaskId job, bool match) {
  invariants::check_digest(vm, job, match, findings());
}

// ---- When the world is quiet --------------------------------------------------------------------

void Checker::compare_state(const Member& member) {
  const Index applied = member.log().commit_index();
  state_hashes_.state(member.self(), applied, member.state().hash(), findings());
}

void Checker::check_leaks(const invariants::Holdings& holdings, const ClusterState& state) {
  std::map<std::string, pb::Vm> vms;
  std::set<TaskId> in_flight;
  for (const auto& [name, vm] : state.vms()) vms.emplace(name, *vm);
  for (const auto& [id, task] : state.tasks()) {
    if (task->has_job() && !task->complete()) in_flight.insert(id);
  }
  invariants::check_leaks(holdings, vms, in_flight, findings());
}

void Checker::check_handover_traces(const ClusterState& state) {
  if (!clocks_are_bounded_) return;
  findings_.set_now(queue_.now());
  for (const auto& [name, vm] : state.vms()) {
    const bool runs = vm->want() == pb::GUEST_RUNNING && !vm->has_operation();
    handover_.expect_trace(name, runs);
  }
}

}  // namespace failsim::sim
