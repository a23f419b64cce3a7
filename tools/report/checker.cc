#include "tools/report/checker.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include "cluster/state/cluster_state.h"

namespace failsim::history {
namespace {

// A state is hashed when it has moved on by so many entries, and by more the larger it is: hashing
// walks over all of its rows.
Index hash_every(const ClusterState& state) {
  constexpr Index kAtLeast = 32;
  constexpr Index kRowsAnEntry = 64;
  const std::size_t rows = state.vms().size() + state.tasks().size() + state.events().size();
  return std::max(kAtLeast, Index{rows} / kRowsAnEntry);
}

constexpr std::string_view kVmRow = "vm/";
constexpr std::string_view kTaskRow = "task/";
constexpr std::string_view kNodeRow = "node/";

// What follows the prefix of a key.
template <typename Number>
Number number_in_key(std::string_view key, std::string_view prefix) {
  Number number = 0;
  key.remove_prefix(prefix.size());
  std::from_chars(key.data(), key.data() + key.size(), number);
  return number;
}

// Of a detection time: clocks of nodes may run slower than the world's.
Duration patience(Duration detection_time) {
  return detection_time - detection_time / 10;
}

template <typename Key, typename Row>
history::RowPtr<Row> row_in(const std::map<Key, HeldRow<Row>>& rows, const Key& key) {
  const auto found = rows.find(key);
  return found == rows.end() ? nullptr : found->second.shared();
}

pb::LogStart position_of(const pb::LogEntry& entry) {
  pb::LogStart position;
  position.set_index(entry.index());
  position.set_term(entry.term());
  position.set_checksum(entry.checksum());
  return position;
}

pb::LogStart last_entry(const Recovered& recovered) {
  return recovered.entries.empty() ? recovered.log_start : position_of(*recovered.entries.back());
}

// ---- Messages, as people know them --------------------------------------------------------------

std::string name_in(const google::protobuf::Message& message, const std::string& oneof) {
  const auto* which = message.GetReflection()->GetOneofFieldDescriptor(
      message, message.GetDescriptor()->FindOneofByName(oneof));
  if (which == nullptr) return "empty";
  std::string name = which->name();
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

void describe_log_message(const pb::RaftMessage& message, history::Sent& sent) {
  sent.type = name_in(message, "kind");
  sent.term = message.term();
  if (message.has_append()) {
    const auto& append = message.append();
    sent.index = append.previous_index() + static_cast<Index>(append.entries_size());
    if (append.entries_size() == 0) sent.type = "append-empty";
  } else if (message.has_append_reply()) {
    sent.index = message.append_reply().match_index();
  } else if (message.has_snapshot()) {
    sent.index = message.snapshot().last_index();
  } else if (message.has_vote()) {
    sent.index = message.vote().last_index();
  } else if (message.has_pre_vote()) {
    sent.index = message.pre_vote().last_index();
  }
}

}  // namespace

Checker::Checker(std::function<Time()> now, history::Sink* sink)
    : now_(std::move(now)),
      sink_(sink),
      handover_feed_(judge_.handover(), [this](const auto& fact) { tell(fact); }) {}

void Checker::tell(const history::Fact& fact) {
  const Time now = now_();
  judge_.take(now, fact);
  if (sink_ == nullptr) return;
  sink_->take(now, fact);
  for (; told_violations_ < violations().size(); ++told_violations_) {
    const invariants::Violation& violation = violations()[told_violations_];
    sink_->take(now, history::Violated{violation.label, violation.text});
  }
}

// ---- Processes and their steps ------------------------------------------------------------------

void Checker::process_started(NodeId node) {
  progress_[node] = Progress();
  hearing_.started(node, now_());
  tell(history::ProcessStarted{node});
}

void Checker::process_ended(NodeId node, Incarnation incarnation) {
  for (const history::Unheard& gap : hearing_.ended(node, patience_, now_())) tell(gap);
  tell(history::ProcessEnded{node, incarnation});
}

void Checker::guests_stopped(NodeId node, Incarnation incarnation) {
  tell(history::GuestsStopped{{node, incarnation}});
}

void Checker::store_opened(NodeId node, const Recovered& recovered) {
  Progress& progress = progress_[node];
  progress.hard_state = recovered.hard_state;
  for (const EntryPtr& entry : recovered.entries) progress.entries[entry->index()] = entry;
  tell(history::Stored{node, 0, recovered.hard_state, last_entry(recovered)});
}

void Checker::batches_written(NodeId node, std::uint64_t sequence) {
  tell(history::Synced{node, sequence});
}

void Checker::after_step(const Member& member, const Effects& effects) {
  for (const failsim::Fact& fact : effects.trace) {
    coverage_.fact(fact);
    if (fact.kind == "state-diverged") tell(history::Complaint{member.self(), fact.text});
  }
  if (!std::exchange(are_slots_told_, true)) {
    // Nobody has applied anything yet.
    tell(history::SlotsFormed{member.state().cluster_dword("MaximumParallelMigrations")});
  }
  look_at_log(member, effects);
  look_at_orders(member, effects);
  Progress& progress = progress_[member.self()];
  const Duration detection_time = member.state().detection_time();
  if (detection_time != progress.detection_time) {
    progress.detection_time = detection_time;
    tell(history::DetectionTime{member.self(), detection_time});
    Duration shortest = detection_time;
    for (const auto& [node, seen] : progress_) {
      if (seen.detection_time > 0) shortest = std::min(shortest, seen.detection_time);
    }
    patience_ = patience(shortest);
  }
  const DurableBatch& batch = effects.durable;
  if (batch.replace_rows) tell(history::RowsReplaced{member.self()});
  look_at_events(member, effects);
  if (!batch.rows.empty()) look_at_rows(member, batch);
  if (!batch.applied) return;
  const Index every = hash_every(member.state());
  if (*batch.applied / every == progress.hashed / every) return;
  progress.hashed = *batch.applied;
  tell(history::StateHash{member.self(), *batch.applied, member.state().hash()});
}

void Checker::look_at_log(const Member& member, const Effects& effects) {
  const raft::Raft& log = member.log();
  const NodeId node = member.self();
  Progress& progress = progress_[node];
  if (log.leads() && log.term() != progress.led_term) {
    progress.led_term = log.term();
    coverage_.happened("leader elected");
    tell(history::Leads{node, log.term()});
  }
  const DurableBatch& batch = effects.durable;
  if (batch.truncate_from != 0) {
    progress.entries.erase(progress.entries.lower_bound(batch.truncate_from),
                           progress.entries.end());
  }
  for (const EntryPtr& entry : batch.append) {
    progress.entries[entry->index()] = entry;
    tell(history::Appended{node, position_of(*entry)});
    if (log.leads() && entry->term() == log.term()) look_at_proposal(member, *entry);
  }
  if (batch.hard_state) progress.hard_state = *batch.hard_state;
  if (batch.needs_sync()) {
    tell(history::Stored{node, effects.sequence, progress.hard_state,
                         log.position_of(log.last_index())});
  }
  look_at_commit(member);
}

// Entries that a snapshot brought are not among them: its rows are compared by hash, and another
// member has committed them before.
void Checker::look_at_commit(const Member& member) {
  const raft::Raft& log = member.log();
  Progress& progress = progress_[member.self()];
  const Index commit = log.commit_index();
  if (commit < progress.commit) {
    tell(history::Committed{member.self(), log.position_of(commit)});
  }
  progress.commit = commit;
  while (!progress.entries.empty() && progress.entries.begin()->first <= commit) {
    const EntryPtr entry = std::move(progress.entries.begin()->second);
    progress.entries.erase(progress.entries.begin());
    tell(history::Committed{member.self(), position_of(*entry)});
    const bool changes_owner = handover_feed_.committed(*entry);
    if (changes_owner && entry->index() < log.first_index()) coverage_.happened(kCompactedAtOnce);
  }
}

// A leader that calls a node silent: who has not heard that node lately is told first.
void Checker::look_at_proposal(const Member& member, const pb::LogEntry& entry) {
  pb::Command command;
  if (!command.ParseFromString(entry.command()) || !command.has_node_down()) return;
  const pb::Command::NodeDown& down = command.node_down();
  // Other reasons than its silence: its process is dead, or it holds no lease.
  if (down.fenced() || !down.reason().starts_with("silent") || !hearing_.is_known()) return;
  const NodeId leader = member.self();
  for (const history::Unheard& gap : hearing_.waiting(leader, down.node(), patience_, now_())) {
    tell(gap);
  }
  tell(history::CalledSilent{leader, down.node()});
}

void Checker::look_at_orders(const Member& member, const Effects& effects) {
  for (const GuestOrder& order : effects.guests) {
    const bool from_image =
        order.want != pb::GUEST_ABSENT && order.origin == pb::ORIGIN_IMAGE && order.image_job != 0;
    if (!from_image) continue;
    tell(history::ImageOrdered{member.self(), order.vm, member.incarnation(), order.image_job});
  }
}

void Checker::look_at_rows(const Member& member, const DurableBatch& batch) {
  const ClusterState& state = member.state();
  std::set<std::string> vms;
  for (const RowChange& row : batch.rows) {
    if (row.key.starts_with(kVmRow)) vms.insert(row.key.substr(kVmRow.size()));
    if (row.key.starts_with(kNodeRow)) {
      const auto node = row_in(state.nodes(), number_in_key<NodeId>(row.key, kNodeRow));
      if (node != nullptr) tell(history::NodeRow{member.self(), node});
    }
    if (!row.key.starts_with(kTaskRow)) continue;
    const auto task = row_in(state.tasks(), number_in_key<TaskId>(row.key, kTaskRow));
    if (task == nullptr) continue;
    if (task->has_job()) vms.insert(task->job().vm());
    tell(history::TaskRow{member.self(), task});
  }
  std::set<NodeId> owners;
  for (const std::string& vm : vms) owners.insert(look_at_vm(member, vm));
  // Counted once an entry: the other replicas come to the same state, or S9 is broken.
  const bool is_first = std::none_of(progress_.begin(), progress_.end(), [&](const auto& other) {
    return other.first != member.self() && other.second.commit >= batch.applied.value_or(0);
  });
  if (!is_first) return;
  for (const NodeId owner : owners) {
    const pb::Node* node = state.node(owner);
    if (node == nullptr) continue;
    tell(history::MemoryUsed{owner, state.memory_in_use(owner), node->memory_bytes()});
  }
}

// Returns its owner; kNoNode if the VM is gone.
NodeId Checker::look_at_vm(const Member& member, const std::string& name) {
  const ClusterState& state = member.state();
  const auto vm = row_in(state.vms(), name);
  if (vm == nullptr) return kNoNode;
  tell(history::VmRow{member.self(), vm, row_in(state.tasks(), vm->job()),
                      static_cast<std::uint32_t>(state.migration_state(name))});
  return vm->owner();
}

void Checker::look_at_events(const Member& member, const Effects& effects) {
  for (const std::uint64_t number : effects.new_events) {
    const auto event = row_in(member.state().events(), number);
    if (event == nullptr) continue;  // trimmed in the same step
    const std::uint64_t last = events_.empty() ? 0 : events_.back().number();
    tell(history::EventApplied{member.self(), event});
    if (number <= last) continue;
    events_.push_back(*event);
    coverage_.event(*event);
    handover_feed_.happened(*event, member.state());
  }
}

// ---- What guests and the shared volume do -------------------------------------------------------

void Checker::guest_executes(const handover::Process& process, const std::string& vm,
                             const Epoch& epoch, Time until) {
  tell(history::Executes{process.node, vm, until, process.incarnation, epoch});
  coverage_.guest_executes(process.node, vm, now_(), until);
}

void Checker::lease_lasts(const handover::Process& process, Time until) {
  tell(history::LeaseLasts{process, until});
}

void Checker::clock_rate(NodeId node, std::int64_t ppm) {
  tell(history::ClockRate{node, ppm});
}

void Checker::guest_stops(const handover::Process& process, const std::string& vm) {
  tell(history::Stops{process.node, vm, process.incarnation});
  coverage_.guest_stops(process.node, vm);
}

void Checker::job_step(handover::Step step, const handover::Process& process, const std::string& vm,
                       TaskId job) {
  handover::Action action;
  action.step = step;
  action.process = process;
  action.job = job;
  tell(history::HandoverStep{vm, action});
}

void Checker::source_paused(const handover::Process& process, const std::string& vm, TaskId job) {
  job_step(handover::Step::kPause, process, vm, job);
}

void Checker::target_holds_all(const handover::Process& process, const std::string& vm,
                               TaskId job) {
  job_step(handover::Step::kHoldAll, process, vm, job);
}

void Checker::target_holds_state(const handover::Process& process, const std::string& vm,
                                 TaskId job) {
  job_step(handover::Step::kHoldState, process, vm, job);
}

void Checker::target_holds_pages(const handover::Process& process, const std::string& vm,
                                 TaskId job) {
  job_step(handover::Step::kHoldPages, process, vm, job);
}

void Checker::guest_begins(NodeId node, const std::string& vm, std::uint64_t counter) {
  tell(history::GuestBegins{node, vm, counter});
}

void Checker::memory_used(NodeId node, std::uint64_t used, std::uint64_t memory) {
  tell(history::MemoryUsed{node, used, memory});
}

void Checker::image_verified(NodeId node, const std::string& vm, TaskId job, bool match) {
  tell(history::ImageVerified{node, vm, job, match});
}

void Checker::round_ended(history::RoundEnded round) {
  tell(std::move(round));
}

// ---- Faults and messages ------------------------------------------------------------------------

std::uint64_t Checker::fault_injected(std::string text, std::vector<NodeId> nodes) {
  tell(history::FaultInjected{++last_fault_, std::move(text), std::move(nodes)});
  return last_fault_;
}

void Checker::fault_healed(std::uint64_t fault) {
  tell(history::FaultHealed{fault});
}

std::uint64_t Checker::message_sent(const pb::PeerMessage& message) {
  history::Sent sent;
  sent.id = ++last_message_;
  sent.from = message.from();
  sent.to = message.to();
  if (message.has_raft()) {
    describe_log_message(message.raft(), sent);
  } else {
    sent.type = name_in(message, "body");
  }
  tell(sent);
  return last_message_;
}

void Checker::heartbeat_heard(NodeId node, NodeId of, Time sent) {
  Time since = 0;
  if (!hearing_.heard(node, of, sent, patience_, now_(), since)) return;
  tell(history::Unheard{node, of, since});
}

// ---- When the world is quiet --------------------------------------------------------------------

void Checker::compare_state(const Member& member) {
  tell(history::StateHash{member.self(), member.log().commit_index(), member.state().hash()});
}

void Checker::check_leaks(const invariants::Holdings& holdings, const ClusterState& state) {
  history::Held held;
  held.holdings = holdings;
  for (const auto& [name, vm] : state.vms()) held.vms.push_back(vm.shared());
  for (const auto& [id, task] : state.tasks()) {
    if (task->has_job() && !task->complete()) held.in_flight.push_back(id);
  }
  tell(held);
}

void Checker::expect(const std::string& rule, bool held, const std::string& text) {
  tell(history::Expectation{rule, held, text});
}

void Checker::check_handover_traces(const ClusterState& state) {
  for (const auto& [name, vm] : state.vms()) {
    const bool runs = vm->want() == pb::GUEST_RUNNING && !vm->has_operation();
    tell(history::TraceExpected{name, runs});
  }
}

}  // namespace failsim::history
