#include "tools/report/judge.h"

#include <algorithm>
#include <array>

#include "cluster/membership/lease.h"
#include "cluster/vm/task_result.h"

namespace failsim::history {
namespace {

constexpr std::array kRules = {
    Rule{"raft", "One leader a term; logs that match; what is committed stays"},
    Rule{"S1", "At most one node executes a VM"},
    Rule{"S2", "Without a quorum no guest executes for longer than a lease"},
    Rule{"S3", "Epochs of a VM only rise, and each has one owner"},
    Rule{"S4", "MigrationState moves along its documented edges"},
    Rule{"S6", "One migration a VM, and it is there exactly while MigrationState says so"},
    Rule{"S7", "What was acknowledged to a client is kept"},
    Rule{"S8", "A store that is opened again holds what was synced"},
    Rule{"S9", "Replicas at the same entry have the same state"},
    Rule{"S10", "The memory at the resume is the memory at the pause"},
    Rule{"S11", "The counter of a guest has no gap, no fork and no repetition"},
    Rule{"S12", "One process writes an epoch, and epochs at the volume only rise"},
    Rule{"S13", "A canceled or failed migration leaves the VM with its source"},
    Rule{"S14", "Nothing is left of a migration that has ended"},
    Rule{"S15", "What a node holds fits its memory"},
    Rule{"S20", "Jobs end once, progress never falls, a request has one outcome"},
    Rule{"S22", "Events of record have no gap and are the same everywhere"},
    Rule{"handover", "An ownership changes only by steps that are declared and allowed"},
    Rule{"L1", "After the faults: one leader, every node Up"},
    Rule{"L2", "After the faults: every VM that should run does"},
    Rule{"L3", "After the faults: every task has ended"},
    Rule{"L4", "After the faults: every client was answered"},
    Rule{"L5", "The VMs of a node that died execute elsewhere in time"},
    Rule{"L8", "After the faults: every node has caught up"},
    Rule{"L9", "Pre-copy that does not converge is bounded, and told"},
};

const pb::EventRecord::Field* field(const pb::EventRecord& event, std::string_view name) {
  for (const pb::EventRecord::Field& field : event.fields()) {
    if (field.name() == name) return &field;
  }
  return nullptr;
}

}  // namespace

std::span<const Rule> rules() {
  return kRules;
}

void Judge::take(Time now, const Fact& fact) {
  // Messages are told only when somebody records, and not all of them: no verdict may hang on them.
  if (std::holds_alternative<Sent>(fact) || std::holds_alternative<Received>(fact)) return;
  now_ = now;
  findings_.set_now(now);
  broken_assumptions_.set_now(now);
  failovers_.time_passes(now, findings_);
  std::visit([this](const auto& one) { judge(one); }, fact);
}

// ---- The cluster and its processes --------------------------------------------------------------

void Judge::judge(const ClusterFormed& fact) {
  quorum_contact_.formed(fact.nodes);
  failovers_.formed(fact.nodes);
  for (std::size_t i = 0; i < std::min(fact.nodes.size(), fact.memory.size()); ++i) {
    failovers_.memory(fact.nodes[i], fact.memory[i]);
  }
}

void Judge::judge(const DetectionTime& fact) {
  quorum_contact_.lease_length(fact.length);
  failovers_.detection_time(fact.length);
}

void Judge::judge(const ProcessStarted& fact) {
  logs_.restarted(fact.node);
  judge(RowsReplaced{fact.node});
  quorum_contact_.runs(fact.node, true, now_, of_leases());
  failovers_.process_started(fact.node);
}

void Judge::judge(const ProcessEnded& fact) {
  failovers_.process_ended(fact.node, now_);
  executions_.node_died(fact.node, now_);
  quorum_contact_.died(fact.node, now_, of_leases());
  judge(GuestsStopped{{fact.node, fact.incarnation}});
}

void Judge::judge(const ProcessStopped& fact) {
  quorum_contact_.runs(fact.node, false, now_, of_leases());
  failovers_.process_stopped(fact.node);
}

void Judge::judge(const ProcessContinued& fact) {
  quorum_contact_.runs(fact.node, true, now_, of_leases());
  failovers_.process_continued(fact.node);
}

// ---- The log and its store ----------------------------------------------------------------------

void Judge::judge(const Leads& fact) {
  elections_.leads(fact.node, fact.term, findings_);
}

void Judge::judge(const Appended& fact) {
  logs_.appended(fact.node, fact.position, findings_);
}

void Judge::judge(const Committed& fact) {
  logs_.committed(fact.node, fact.position, findings_);
}

void Judge::judge(const Stored& fact) {
  const auto content = invariants::Stores::content(fact.hard_state, fact.last);
  if (fact.sequence == 0) {
    stores_.opened(fact.node, content, findings_);
  } else {
    stores_.given(fact.node, fact.sequence, content);
  }
}

void Judge::judge(const Synced& fact) {
  stores_.synced(fact.node, fact.sequence);
}

void Judge::judge(const StateHash& fact) {
  state_hashes_.state(fact.node, fact.index, fact.hash, findings_);
}

// ---- What each replica has applied --------------------------------------------------------------

void Judge::judge(const RowsReplaced& fact) {
  ownership_.restarted(fact.node);
  jobs_.restarted(fact.node);
  migration_ends_.restarted(fact.node);
  events_.restarted(fact.node);
}

void Judge::judge(const EventApplied& fact) {
  events_.applied(fact.node, *fact.event, findings_);
  note_writer(fact.node, *fact.event);
  if (fact.event->number() <= last_event_) return;
  last_event_ = fact.event->number();
  event_first_seen(*fact.event);
}

// Who wrote MigrationState last, as far as this replica has applied.
void Judge::note_writer(NodeId replica, const pb::EventRecord& event) {
  if (event.kind() != "migration-state") return;
  const pb::EventRecord::Field* vm = field(event, "vm");
  const pb::EventRecord::Field* job = field(event, "job_id");
  if (vm == nullptr || job == nullptr) return;
  const std::pair key(replica, vm->text());
  if (job->number() == 0) {
    written_by_client_.insert(key);
  } else {
    written_by_client_.erase(key);
  }
}

void Judge::event_first_seen(const pb::EventRecord& event) {
  if (event.kind() == "migration-state") {
    const pb::EventRecord::Field* vm = field(event, "vm");
    const pb::EventRecord::Field* from = field(event, "from");
    const pb::EventRecord::Field* to = field(event, "to");
    const pb::EventRecord::Field* job = field(event, "job_id");
    if (vm == nullptr || from == nullptr || to == nullptr || job == nullptr) {
      findings_.add("S22", "event " + std::to_string(event.number()) +
                               " tells of a migration and does not say which or how it changed");
      return;
    }
    migration_edges_.changed(vm->text(), from->named().value(), to->named().value(), job->number(),
                             findings_);
  }
  if (event.kind() == "vm-deleted") {
    const std::string vm = event.object().substr(std::min(event.object().size(), std::size_t{3}));
    migration_edges_.deleted(vm);
    failovers_.deleted(vm);
    if (clocks_are_bounded_) handover_.deleted(vm, now_);
  }
}

void Judge::judge(const TaskRow& fact) {
  jobs_.task_row(fact.node, *fact.task, findings_);
  migration_ends_.ended(fact.node, *fact.task);
  if (fact.task->complete() && fact.task->has_job()) {
    const bool is_canceled =
        fact.task->result() == static_cast<std::uint32_t>(VMTaskResult::kCancelled);
    cancels_.ended(fact.task->id(), is_canceled, findings_);
  }
  const bool has_moved = fact.task->complete() && fact.task->has_job() &&
                         fact.task->job().phase() == 0 && fact.task->error() == 0;
  if (!has_moved) return;
  rounds_.reported(fact.task->id(), fact.task->job().statistics().forced_switch(), findings_);
}

void Judge::judge(const VmRow& fact) {
  ownership_.row(fact.node, *fact.vm, findings_);
  migration_ends_.vm_row(fact.node, *fact.vm, findings_);
  failovers_.vm_row(*fact.vm);
  // After Complete the job only waits for the target's word: the property has left Move already.
  const bool is_completing =
      fact.job != nullptr && fact.job->job().phase() == 0 && !fact.job->complete();
  if (is_completing) return;
  jobs_.vm_row(*fact.vm, fact.job.get(), fact.migration_state,
               written_by_client_.contains(std::pair(fact.node, fact.vm->name())), findings_);
}

// ---- Guests, transfers and the shared volume ----------------------------------------------------

void Judge::judge(const LeaseLasts& fact) {
  if (clocks_are_bounded_) handover_.leased(fact.process, fact.until);
}

void Judge::judge(const GuestsStopped& fact) {
  if (clocks_are_bounded_) handover_.gone(fact.process, now_);
}

void Judge::judge(const Executes& fact) {
  executions_.executes(fact.vm, fact.node, now_, fact.until, of_leases());
  quorum_contact_.executes(fact.vm, fact.node, fact.until, of_leases());
  failovers_.executes(fact.vm, fact.node, fact.until, findings_);
  if (!clocks_are_bounded_) return;
  handover_.executes(fact.vm, {fact.node, fact.incarnation}, fact.epoch, now_, fact.until);
}

void Judge::judge(const Stops& fact) {
  executions_.stops(fact.vm, fact.node, now_);
  quorum_contact_.stops(fact.vm, fact.node, now_);
  failovers_.stops(fact.vm, fact.node);
  if (clocks_are_bounded_) handover_.stops(fact.vm, {fact.node, fact.incarnation}, now_);
}

void Judge::judge(const GuestBegins& fact) {
  journals_.begins(fact.vm, fact.node, fact.counter, findings_);
}

void Judge::judge(const ImageOrdered& fact) {
  images_.ordered(fact.vm, fact.node, fact.incarnation, fact.job, findings_);
}

void Judge::judge(const CancelAccepted& fact) {
  cancels_.accepted(fact.job, findings_);
}

void Judge::judge(const DiskReplaced& fact) {
  stores_.replaced(fact.node);
}

void Judge::judge(const RoundEnded& fact) {
  if (fact.is_decided) return;
  rounds_.ended(
      {fact.vm, fact.job, fact.round, fact.max_rounds, fact.decision == PrecopyDecision::kContinue,
       fact.decision == PrecopyDecision::kSwitchForced},
      findings_);
}

void Judge::judge(const ImageVerified& fact) {
  invariants::check_digest(fact.vm, fact.job, fact.match, findings_);
}

void Judge::judge(const MemoryUsed& fact) {
  invariants::check_memory(fact.node, fact.used, fact.memory, findings_);
}

void Judge::judge(const VolumeRecord& fact) {
  journals_.record(fact.vm, fact.epoch, fact.counter, fact.node, fact.writer, findings_);
  handover::Action action;
  action.step = fact.counter > 0 ? handover::Step::kWrite : handover::Step::kRegister;
  action.process = {fact.node, fact.writer};
  action.epoch = fact.epoch;
  judge(HandoverStep{fact.vm, action});
}

// ---- The way of an ownership --------------------------------------------------------------------

void Judge::judge(const OwnershipBegan& fact) {
  if (clocks_are_bounded_) handover_.created(fact.vm, fact.owner, fact.epoch);
}

void Judge::judge(const HandoverStep& fact) {
  if (fact.action.step == handover::Step::kHoldAll) {
    images_.held(fact.action.process.node, fact.action.process.incarnation, fact.action.job);
  }
  if (clocks_are_bounded_) handover_.takes(fact.vm, fact.action, now_);
}

void Judge::judge(const TraceExpected& fact) {
  if (clocks_are_bounded_) handover_.expect_trace(fact.vm, fact.runs);
}

// ---- Faults -------------------------------------------------------------------------------------

void Judge::judge(const FaultInjected& fact) {
  failovers_.fault_begins(fact.id, fact.nodes);
}

void Judge::judge(const FaultHealed& fact) {
  failovers_.fault_ends(fact.id);
}

void Judge::judge(const LinkChanged& fact) {
  quorum_contact_.link(fact.from, fact.to, fact.open, now_, of_leases());
  failovers_.link(fact.from, fact.to, fact.open);
}

// A lease that was given under such a clock may still be in force when the clock is right again:
// once broken, the assumption stays so.
void Judge::judge(const ClockRate& fact) {
  clock_ppm_[fact.node] = fact.ppm;
  const auto less = [](const auto& one, const auto& other) { return one.second < other.second; };
  const auto slowest = std::min_element(clock_ppm_.begin(), clock_ppm_.end(), less)->second;
  const auto fastest = std::max_element(clock_ppm_.begin(), clock_ppm_.end(), less)->second;
  const std::int64_t apart =
      std::max<std::int64_t>(fastest, 0) - std::min<std::int64_t>(slowest, 0);
  if (apart > kClockRatePerMille * 1000) clocks_are_bounded_ = false;
}

// ---- Clients ------------------------------------------------------------------------------------

void Judge::judge(const WriteBegan& fact) {
  registers_[fact.name].write_begins(fact.value);
}

void Judge::judge(const WriteAcknowledged& fact) {
  registers_[fact.name].write_acknowledged(fact.value);
}

void Judge::judge(const WriteRefused& fact) {
  registers_[fact.name].write_refused(fact.value);
}

void Judge::judge(const ReadSaw& fact) {
  registers_[fact.name].read(fact.name, fact.value, findings_);
}

void Judge::judge(const Answered& fact) {
  answers_.answered(fact.request, fact.answer, findings_);
}

// ---- When the world is quiet --------------------------------------------------------------------

void Judge::judge(const Held& fact) {
  std::map<std::string, pb::Vm> vms;
  for (const RowPtr<pb::Vm>& vm : fact.vms) vms.emplace(vm->name(), *vm);
  invariants::check_leaks(fact.holdings, vms, {fact.in_flight.begin(), fact.in_flight.end()},
                          findings_);
}

void Judge::judge(const Expectation& fact) {
  for (const Rule& rule : kRules) {
    if (rule.label == fact.rule) findings_.evaluated(rule.label.data());
  }
  if (!fact.held) findings_.add(fact.rule, fact.text);
}

}  // namespace failsim::history
