#include "tools/report/timeline.h"

#include <algorithm>

#include "cluster/migration/migration_state.h"
#include "cluster/units.h"

namespace failsim::history {
namespace {

std::string value_text(const pb::EventRecord::Field& field) {
  if (field.has_text()) return field.text();
  if (field.has_named()) return field.named().name();
  if (field.has_flag()) return field.flag() ? "yes" : "no";
  return std::to_string(field.number());
}

// What every kind of change is called when its object and its two ends are told.
bool says_itself(const std::string& kind) {
  return kind == "migration-state" || kind == "vm-state" || kind == "node-state" || kind == "owner";
}

std::string object_name(const pb::EventRecord& event) {
  const std::size_t slash = event.object().find('/');
  return slash == std::string::npos ? event.object() : event.object().substr(slash + 1);
}

// "web: Setup -> Data Transfer, job_id 5".
std::string event_text(const pb::EventRecord& event) {
  std::string change;
  std::string rest;
  for (const pb::EventRecord::Field& field : event.fields()) {
    const std::string value = value_text(field);
    if (field.name() == "from") {
      change = value + change;
    } else if (field.name() == "to") {
      change += " \u2192 " + value;
    } else if (field.name() == "job_id") {
      if (field.number() != 0) rest += ", job " + value;
    } else if (field.name() != "vm" && field.name() != "vm_id" && !value.empty()) {
      rest += ", " +
              (field.name() == "name" || field.name() == "value" || field.name() == "reason"
                   ? ""
                   : field.name() + " ") +
              value;
    }
  }
  std::string text = says_itself(event.kind()) ? "" : event.kind() + " ";
  if (event.kind() == "owner") text = "owner of ";
  text += object_name(event);
  if (!change.empty()) text += ": " + change;
  return text + rest;
}

std::string vm_of(const pb::EventRecord& event) {
  return event.object().starts_with("vm/") ? event.object().substr(3) : "";
}

}  // namespace

std::string phase_name(std::uint32_t phase) {
  if (phase >= kMigrationStateCount) return std::to_string(phase);
  return std::string(name(static_cast<MigrationState>(phase)));
}

void Timeline::take(Time now, const Fact& fact) {
  now_ = now;
  std::visit([this](const auto& one) { draw(one); }, fact);
}

void Timeline::note(Moment::Class type, NodeId node, std::string text, std::string vm) {
  moments_.push_back(Moment{now_, type, node, std::move(vm), std::move(text)});
}

void Timeline::close() {
  const auto end = [this](Span& span) { span.to = std::min(span.to, now_); };
  for (ProcessSpan& process : processes_) end(process.span);
  for (LeaderSpan& leader : leaders_) end(leader.span);
  for (OwnerSpan& owner : owners_) end(owner.span);
  for (ExecutionSpan& execution : executions_) end(execution.span);
  for (PhaseSpan& phase : phases_) end(phase.span);
  for (FaultSpan& fault : faults_) end(fault.span);
}

// ---- Processes ----------------------------------------------------------------------------------

void Timeline::draw(const ClusterFormed& fact) {
  nodes_ = fact.nodes;
}

void Timeline::change_process(NodeId node, bool runs, bool is_frozen) {
  const auto open = open_process_.find(node);
  if (open != open_process_.end()) processes_[open->second].span.to = now_;
  open_process_.erase(node);
  if (!runs) return;
  open_process_[node] = processes_.size();
  processes_.push_back(ProcessSpan{node, is_frozen, {now_, kNever}});
}

void Timeline::draw(const ProcessStarted& fact) {
  change_process(fact.node, true, false);
  note(Moment::Class::kProcess, fact.node, node_name(fact.node) + " starts");
}

void Timeline::draw(const ProcessEnded& fact) {
  change_process(fact.node, false, false);
  for (const std::string& vm : vms_) end_execution(vm, fact.node);
  if (!leaders_.empty() && leaders_.back().node == fact.node) end_leadership();
  note(Moment::Class::kProcess, fact.node, node_name(fact.node) + " ends");
}

void Timeline::draw(const ProcessStopped& fact) {
  change_process(fact.node, true, true);
  note(Moment::Class::kProcess, fact.node, node_name(fact.node) + " is frozen");
}

void Timeline::draw(const ProcessContinued& fact) {
  const auto open = open_process_.find(fact.node);
  if (open == open_process_.end() || !processes_[open->second].is_frozen) return;
  change_process(fact.node, true, false);
  note(Moment::Class::kProcess, fact.node, node_name(fact.node) + " goes on");
}

void Timeline::end_leadership() {
  if (!leaders_.empty()) leaders_.back().span.to = std::min(leaders_.back().span.to, now_);
}

void Timeline::draw(const Leads& fact) {
  end_leadership();
  leaders_.push_back(LeaderSpan{fact.node, fact.term, {now_, kNever}});
  note(Moment::Class::kLeader, fact.node,
       node_name(fact.node) + " leads in term " + std::to_string(fact.term));
}

// ---- VMs ----------------------------------------------------------------------------------------

void Timeline::draw(const VmRow& fact) {
  const pb::Vm& vm = *fact.vm;
  vms_.insert(vm.name());
  const Epoch epoch{vm.epoch().recovery(), vm.epoch().counter()};
  const auto open = open_owner_.find(vm.name());
  if (open != open_owner_.end()) {
    OwnerSpan& former = owners_[open->second];
    if (epoch <= former.epoch) return;
    former.span.to = now_;
  }
  open_owner_[vm.name()] = owners_.size();
  owners_.push_back(OwnerSpan{vm.name(), vm.owner(), epoch, {now_, kNever}});
}

void Timeline::draw(const Executes& fact) {
  vms_.insert(fact.vm);
  const std::pair key(fact.vm, fact.node);
  const auto open = open_execution_.find(key);
  if (open != open_execution_.end() && executions_[open->second].span.to >= now_) {
    executions_[open->second].span.to = fact.until;
    return;
  }
  open_execution_[key] = executions_.size();
  executions_.push_back(ExecutionSpan{fact.vm, fact.node, {now_, fact.until}});
}

void Timeline::end_execution(const std::string& vm, NodeId node) {
  const auto open = open_execution_.extract(std::pair(vm, node));
  if (open.empty()) return;
  Span& span = executions_[open.mapped()].span;
  span.to = std::min(span.to, now_);
}

void Timeline::draw(const Stops& fact) {
  end_execution(fact.vm, fact.node);
}

// ---- Events and migrations ----------------------------------------------------------------------

void Timeline::draw(const EventApplied& fact) {
  const pb::EventRecord& event = *fact.event;
  if (event.number() <= last_event_) return;
  last_event_ = event.number();
  const std::string vm = vm_of(event);
  const bool is_setting = event.kind() == "property";
  note(is_setting ? Moment::Class::kClient : Moment::Class::kEvent, event.node(), event_text(event),
       vm);
  if (event.kind() == "vm-deleted") {
    const auto open = open_owner_.extract(vm);
    if (!open.empty()) owners_[open.mapped()].span.to = now_;
  }
  if (event.kind() != "migration-state") return;
  TaskId job = 0;
  std::uint32_t to = 0;
  for (const pb::EventRecord::Field& field : event.fields()) {
    if (field.name() == "job_id") job = field.number();
    if (field.name() == "to") to = field.named().value();
  }
  if (job != 0) migration_state_changed(vm, job, to);
}

void Timeline::migration_state_changed(const std::string& vm, TaskId job, std::uint32_t to) {
  const auto open = open_phase_.extract(vm);
  if (!open.empty()) {
    phases_[open.mapped()].span.to = now_;
    phases_[open.mapped()].next = to;
  }
  if (to >= kMigrationStateCount || !is_under_way(static_cast<MigrationState>(to))) return;
  open_phase_[vm] = phases_.size();
  phases_.push_back(PhaseSpan{vm, job, to, to, {now_, kNever}});
}

void Timeline::draw(const TaskRow& fact) {
  if (!fact.task->has_job()) return;
  migrations_[fact.task->id()] = Ends{fact.task->job().source(), fact.task->job().target()};
}

void Timeline::draw(const RoundEnded& fact) {
  rounds_.emplace_back(now_, fact);
  const char* decision = fact.is_decided                                   ? "waits for the switch"
                         : fact.decision == PrecopyDecision::kContinue     ? "goes on"
                         : fact.decision == PrecopyDecision::kSwitchForced ? "is switched by force"
                         : fact.decision == PrecopyDecision::kFail         ? "is given up"
                         : fact.decision == PrecopyDecision::kPostCopy     ? "goes on in post-copy"
                                                                           : "is switched";
  note(Moment::Class::kRound, fact.node,
       "round " + std::to_string(fact.round + 1) + " of job " + std::to_string(fact.job) +
           " sent " + show_size(fact.bytes_sent) + ", " + show_size(fact.dirty_bytes) +
           " dirty: " + decision,
       fact.vm);
}

void Timeline::draw(const ImageVerified& fact) {
  note(Moment::Class::kRound, fact.node,
       "the memory after job " + std::to_string(fact.job) +
           (fact.match ? " is as it was" : " is NOT as it was"),
       fact.vm);
}

// ---- Messages and faults ------------------------------------------------------------------------

void Timeline::draw(const Sent& fact) {
  under_way_[fact.id] = messages_.size();
  messages_.push_back(Message{fact, {now_, kNever}});
}

void Timeline::draw(const Received& fact) {
  const auto found = under_way_.extract(fact.id);
  if (!found.empty()) messages_[found.mapped()].span.to = now_;
}

void Timeline::draw(const FaultInjected& fact) {
  faults_.push_back(FaultSpan{fact.id, fact.text, fact.nodes, {now_, kNever}});
  note(Moment::Class::kFault, fact.nodes.empty() ? kNoNode : fact.nodes.front(), fact.text);
}

void Timeline::draw(const FaultHealed& fact) {
  for (FaultSpan& fault : faults_) {
    if (fault.id != fact.id || fault.span.to != kNever) continue;
    fault.span.to = now_;
    if (fault.span.from == now_) continue;  // it struck at once
    note(Moment::Class::kFault, fault.nodes.empty() ? kNoNode : fault.nodes.front(),
         "over: " + fault.text);
  }
}

// ---- Clients and judgements ---------------------------------------------------------------------

void Timeline::draw(const WriteAcknowledged& fact) {
  note(Moment::Class::kClient, kNoNode, fact.name + " is '" + fact.value + "', acknowledged");
}

void Timeline::draw(const Expectation& fact) {
  if (!fact.held) return;
  note(Moment::Class::kClient, kNoNode,
       fact.rule + " holds" + (fact.text.empty() ? "" : ": ") + fact.text);
}

void Timeline::draw(const Violated& fact) {
  note(Moment::Class::kViolation, kNoNode, fact.rule + ": " + fact.text);
}

}  // namespace failsim::history
