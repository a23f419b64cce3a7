#include "tools/report/rules/migration_rules.h"

#include <charconv>

#include "cluster/migration/migration_state.h"
#include "cluster/vm/task_result.h"

namespace failsim::history {

void MigrationRules::restarted(NodeId replica) {
  ownership_.restarted(replica);
  jobs_.restarted(replica);
  migration_ends_.restarted(replica);
}

void MigrationRules::take(const EventApplied& fact) {
  note_writer(fact.node, *fact.event);
  if (standing_.is_first_seen) event_first_seen(*fact.event);
}

// Who wrote MigrationState last, as far as this replica has applied.
void MigrationRules::note_writer(NodeId replica, const pb::EventRecord& event) {
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

void MigrationRules::event_first_seen(const pb::EventRecord& event) {
  if (event.kind() == "vm-deleted") migration_edges_.deleted(vm_of(event));
  if (event.kind() == "job-state") job_stepped(event);
  slots_changed(event);
  if (event.kind() != "migration-state") return;
  const pb::EventRecord::Field* vm = field(event, "vm");
  const pb::EventRecord::Field* from = field(event, "from");
  const pb::EventRecord::Field* to = field(event, "to");
  const pb::EventRecord::Field* job = field(event, "job_id");
  if (vm == nullptr || from == nullptr || to == nullptr || job == nullptr) {
    standing_.findings.add("S22",
                           "event " + std::to_string(event.number()) +
                               " tells of a migration and does not say which or how it changed");
    return;
  }
  migration_edges_.changed(vm->text(), from->named().value(), to->named().value(), job->number(),
                           standing_.findings);
}

void MigrationRules::job_stepped(const pb::EventRecord& event) {
  const pb::EventRecord::Field* job = field(event, "job_id");
  const pb::EventRecord::Field* from = field(event, "from");
  const pb::EventRecord::Field* to = field(event, "to");
  if (job == nullptr || from == nullptr || to == nullptr) {
    standing_.findings.add("S22", "event " + std::to_string(event.number()) +
                                      " tells of a job and does not say which or how it changed");
    return;
  }
  jobs_.stepped(job->number(), from->named().value(), to->named().value(), standing_.findings);
}

// The limit, a migration that begins, and one that has ended.
void MigrationRules::slots_changed(const pb::EventRecord& event) {
  const auto number = [&](std::string_view name) {
    const pb::EventRecord::Field* found = field(event, name);
    return found == nullptr ? 0 : found->number();
  };
  if (event.kind() == "task") slots_.ended(number("task"));
  if (event.kind() == "migration-state") {
    const pb::EventRecord::Field* to = field(event, "to");
    const bool is_setup =
        to != nullptr && to->named().value() == static_cast<std::uint32_t>(MigrationState::kSetup);
    if (is_setup && number("job_id") != 0) slots_.begins(number("job_id"), standing_.findings);
  }
  if (event.kind() != "property" || event.object() != "cluster") return;
  const pb::EventRecord::Field* name = field(event, "name");
  const pb::EventRecord::Field* value = field(event, "value");
  if (name == nullptr || value == nullptr || name->text() != "MaximumParallelMigrations") return;
  std::uint32_t most = 0;
  const std::string& digits = value->text();
  std::from_chars(digits.data(), digits.data() + digits.size(), most);
  slots_.limit(most);
}

void MigrationRules::take(const TaskRow& fact) {
  const pb::Task& task = *fact.task;
  slots_.row(task, standing_.findings);
  jobs_.task_row(fact.node, task, standing_.findings);
  migration_ends_.ended(fact.node, task);
  if (!task.complete() || !task.has_job()) return;
  const bool is_canceled = task.result() == static_cast<std::uint32_t>(VMTaskResult::kCancelled);
  cancels_.ended(task.id(), is_canceled, standing_.findings);
  const bool has_moved = task.job().phase() == 0 && task.error() == 0;
  if (!has_moved) return;
  rounds_.reported(task.id(), task.job().statistics().forced_switch(), standing_.findings);
}

void MigrationRules::take(const VmRow& fact) {
  ownership_.row(fact.node, *fact.vm, standing_.findings);
  migration_ends_.vm_row(fact.node, *fact.vm, standing_.findings);
  // After Complete the job only waits for the target's word: the property has left Move already.
  const bool is_completing =
      fact.job != nullptr && fact.job->job().phase() == 0 && !fact.job->complete();
  if (is_completing) return;
  jobs_.vm_row(*fact.vm, fact.job.get(), fact.migration_state,
               written_by_client_.contains(std::pair(fact.node, fact.vm->name())),
               standing_.findings);
}

void MigrationRules::take(const RoundEnded& fact) {
  if (fact.is_decided) return;
  rounds_.ended(
      {fact.vm, fact.job, fact.round, fact.max_rounds, fact.decision == PrecopyDecision::kContinue,
       fact.decision == PrecopyDecision::kSwitchForced},
      standing_.findings);
}

}  // namespace failsim::history
