#include "cluster/invariants.h"

#include <algorithm>

#include "cluster/migration/job.h"
#include "cluster/migration/migration_state.h"

namespace failsim::invariants {
namespace {

Epoch epoch_of(const pb::Epoch& row) {
  return Epoch{row.recovery(), row.counter()};
}

std::string migration_name(std::uint32_t number) {
  if (number >= kMigrationStateCount) return std::to_string(number);
  return std::string(name(static_cast<MigrationState>(number)));
}

}  // namespace

void Findings::add(const std::string& label, std::string text) {
  violations_.push_back(Violation{label, std::move(text), now_});
}

// ---- raft ---------------------------------------------------------------------------------------

void Elections::leads(NodeId node, Term term, Findings& findings) {
  findings.evaluated("raft");
  const auto [found, added] = leaders_.emplace(term, node);
  if (!added && found->second != node) {
    findings.add("raft", "term " + std::to_string(term) + " has two leaders: " +
                             node_name(found->second) + " and " + node_name(node));
  }
}

void Logs::appended(NodeId node, const pb::LogStart& position, Findings& findings) {
  const auto key = std::pair(position.index(), position.term());
  const auto [found, added] = appended_.emplace(key, position.checksum());
  if (!added && found->second != position.checksum()) {
    findings.add("raft", node_name(node) + " has another history up to entry " +
                             std::to_string(position.index()) + " of term " +
                             std::to_string(position.term()) + " than an earlier holder of it");
  }
}

void Logs::committed(NodeId node, const pb::LogStart& position, Findings& findings) {
  findings.evaluated("raft");
  Index& last = commit_[node];
  if (position.index() < last) {
    findings.add("raft", "the commit index of " + node_name(node) + " goes back from " +
                             std::to_string(last) + " to " + std::to_string(position.index()));
  }
  last = std::max(last, position.index());
  const auto content = std::pair(position.term(), position.checksum());
  const auto [found, added] = committed_.emplace(position.index(), content);
  if (!added && found->second != content) {
    findings.add("raft", "entry " + std::to_string(position.index()) +
                             " was committed with another content than the one " + node_name(node) +
                             " commits");
  }
}

// ---- S1 -----------------------------------------------------------------------------------------

void Executions::executes(const std::string& vm, NodeId node, Time now, Time until,
                          Findings& findings) {
  if (until <= now) return;
  findings.evaluated("S1");
  std::map<NodeId, Span>& spans = spans_[vm];
  for (const auto& [other, span] : spans) {
    if (other == node || span.until <= now) continue;
    findings.add("S1", "VM " + vm + " executes on " + node_name(node) + " while " +
                           node_name(other) + " still executes it");
  }
  Span& own = spans[node];
  if (own.until <= now) own.from = now;
  own.until = until;
}

void Executions::stops(const std::string& vm, NodeId node, Time now) {
  const auto found = spans_.find(vm);
  if (found == spans_.end()) return;
  const auto span = found->second.find(node);
  if (span != found->second.end()) span->second.until = std::min(span->second.until, now);
}

void Executions::node_died(NodeId node, Time now) {
  for (const auto& [vm, spans] : spans_) {
    if (spans.contains(node)) stops(vm, node, now);
  }
}

bool Executions::is_executing(const std::string& vm, Time now) const {
  const auto found = spans_.find(vm);
  if (found == spans_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(),
                     [&](const auto& entry) { return entry.second.until > now; });
}

// ---- S3 -----------------------------------------------------------------------------------------

void Ownership::row(NodeId replica, const pb::Vm& vm, Findings& findings) {
  findings.evaluated("S3");
  const Epoch epoch = epoch_of(vm.epoch());
  const Owner owner(vm.owner(), vm.owner_incarnation());
  const auto [found, added] = owners_.emplace(std::pair(vm.name(), epoch), owner);
  if (!added && found->second != owner) {
    findings.add("S3", "epoch " + to_string(epoch) + " of VM " + vm.name() + " belongs to both " +
                           node_name(found->second.first) + " and " + node_name(owner.first));
  }
  Epoch& newest = newest_[std::pair(replica, vm.name())];
  if (epoch < newest) {
    findings.add("S3", "at " + node_name(replica) + " the epoch of VM " + vm.name() +
                           " falls from " + to_string(newest) + " to " + to_string(epoch));
  }
  newest = std::max(newest, epoch);
}

void Ownership::restarted(NodeId replica) {
  std::erase_if(newest_, [&](const auto& entry) { return entry.first.first == replica; });
}

// ---- S4, S5 -------------------------------------------------------------------------------------

void MigrationEdges::changed(const std::string& vm, std::uint32_t from, std::uint32_t to,
                             TaskId job, Findings& findings) {
  findings.evaluated("S4");
  findings.evaluated("S5");
  const Value before = states_[vm];
  states_[vm] = Value{to, job != 0, job};
  if (before.number != from) {
    findings.add("S5", "MigrationState of VM " + vm + " was " + migration_name(before.number) +
                           " and changes from " + migration_name(from));
  }
  if (from >= kMigrationStateCount || to >= kMigrationStateCount) {
    findings.add("S4", "MigrationState of VM " + vm + " leaves 0..5: " + std::to_string(from) +
                           " to " + std::to_string(to));
    return;
  }
  const auto state = static_cast<MigrationState>(from);
  const auto next = static_cast<MigrationState>(to);
  if (job == 0) {
    if (before.by_engine && is_under_way(state)) {
      findings.add("S4", "a client changed MigrationState of VM " + vm + " during a migration");
    }
    return;
  }
  const bool starts_anew = !before.by_engine && next == MigrationState::kSetup;
  const bool fails_late = state == MigrationState::kNoMigration && next == MigrationState::kFailure;
  if ((!starts_anew && !engine_may_move(state, next)) || (fails_late && before.job != job)) {
    findings.add("S4", "MigrationState of VM " + vm + " moves from " + migration_name(from) +
                           " to " + migration_name(to));
  }
}

// ---- S6, S20 ------------------------------------------------------------------------------------

namespace {

bool may(bool (*leads)(JobState, JobState), std::uint32_t from, std::uint32_t to) {
  const auto before = job_state_of(from);
  const auto after = job_state_of(to);
  return before.has_value() && after.has_value() && leads(*before, *after);
}

std::string job_step_text(TaskId job, std::uint32_t from, std::uint32_t to) {
  const auto text = [](std::uint32_t number) {
    const auto state = job_state_of(number);
    return state ? std::string(name(*state)) : std::to_string(number);
  };
  return "job " + std::to_string(job) + " goes from " + text(from) + " to " + text(to);
}

}  // namespace

void Jobs::vm_row(const pb::Vm& vm, const pb::Task* job, std::uint32_t migration_state,
                  bool by_client, Findings& findings) {
  findings.evaluated("S6");
  const bool under_way = migration_state >= 1 && migration_state <= 3;
  if (vm.job() == 0) {
    if (under_way && !by_client) {
      findings.add(
          "S6", "VM " + vm.name() + " is in " + migration_name(migration_state) + " without a job");
    }
    return;
  }
  const std::string job_name = "job " + std::to_string(vm.job()) + " of VM " + vm.name();
  if (job == nullptr || !job->has_job()) {
    findings.add("S6", job_name + " does not exist");
  } else if (job->complete() || job->job().vm() != vm.name()) {
    findings.add("S6", job_name + " is not one of its migrations in flight");
  } else if (!under_way || job->job().phase() != migration_state) {
    findings.add("S6", job_name + " is in phase " + std::to_string(job->job().phase()) +
                           " while MigrationState is " + migration_name(migration_state));
  }
}

void Jobs::task_row(NodeId replica, const pb::Task& task, Findings& findings) {
  findings.evaluated("S20");
  const std::string task_name = "task " + std::to_string(task.id());
  Seen& seen = tasks_[std::pair(replica, task.id())];
  if (task.progress() > 100) {
    findings.add("S20", task_name + " has made " + std::to_string(task.progress()) + " percent");
  }
  if (task.progress() < seen.progress)
    findings.add("S20", "the progress of " + task_name + " falls");
  if (seen.complete) {
    const bool same = task.complete() && task.result() == seen.result &&
                      (!task.has_job() || task.job().job_state() == seen.job_state);
    if (!same) findings.add("S20", task_name + " changes after its end");
  }
  const std::uint32_t state = task.job().job_state();
  if (task.has_job() && seen.job_state != 0 && state != seen.job_state) {
    if (!may(job_may_come, seen.job_state, state)) {
      findings.add("S20", job_step_text(task.id(), seen.job_state, state));
    }
  }
  seen = Seen{task.progress(), task.complete(), task.result(), state};
}

void Jobs::stepped(TaskId job, std::uint32_t from, std::uint32_t to, Findings& findings) {
  findings.evaluated("S20");
  const auto shutting_down = static_cast<std::uint32_t>(JobState::kShuttingDown);
  if (!may(job_may_step, from, to)) findings.add("S20", job_step_text(job, from, to));
  if (shutting_down_.contains(job)) {
    findings.add("S20", job_step_text(job, from, to) + " after it was ShuttingDown");
  }
  if (to == shutting_down) shutting_down_.insert(job);
}

void Jobs::restarted(NodeId replica) {
  std::erase_if(tasks_, [&](const auto& entry) { return entry.first.first == replica; });
}

void Answers::answered(const std::string& request, const std::string& answer, Findings& findings) {
  findings.evaluated("S20");
  const auto [known, added] = answers_.emplace(request, answer);
  if (!added && known->second != answer) {
    findings.add("S20", "request " + request + " was answered in two ways");
  }
}

// ---- S13, L9 ------------------------------------------------------------------------------------

void MigrationEnds::ended(NodeId replica, const pb::Task& task) {
  if (!task.complete() || !task.has_job()) return;
  ended_[std::pair(replica, task.job().vm())] = task.job();
}

void MigrationEnds::vm_row(NodeId replica, const pb::Vm& vm, Findings& findings) {
  const auto found = ended_.extract(std::pair(replica, vm.name()));
  if (found.empty()) return;
  const pb::MigrationJob& job = found.mapped();
  findings.evaluated("S13");
  const bool is_same_grant = epoch_of(vm.epoch()) == epoch_of(job.epoch());
  const bool has_completed = job.phase() == 0;
  if (has_completed && is_same_grant) {
    findings.add("S13", "VM " + vm.name() + " has completed a migration to " +
                            node_name(job.target()) + " and keeps the epoch of its source");
  }
  if (has_completed || !is_same_grant) return;
  if (vm.owner() != job.source() || vm.owner_incarnation() != job.source_incarnation()) {
    findings.add("S13", "a migration of VM " + vm.name() + " from " + node_name(job.source()) +
                            " did not complete, and " + node_name(vm.owner()) + " owns it");
  }
}

void MigrationEnds::restarted(NodeId replica) {
  std::erase_if(ended_, [&](const auto& entry) { return entry.first.first == replica; });
}

void Rounds::ended(const Round& round, Findings& findings) {
  findings.evaluated("L9");
  if (round.is_forced) forced_.insert(round.job);
  if (round.goes_on && round.most > 0 && round.number + 1 >= round.most) {
    findings.add("L9", "job " + std::to_string(round.job) + " of VM " + round.vm +
                           " goes on after round " + std::to_string(round.number + 1) + " of " +
                           std::to_string(round.most));
  }
}

void Rounds::reported(TaskId job, bool forced, Findings& findings) {
  if (!forced_.contains(job)) return;
  findings.evaluated("L9");
  if (!forced) {
    findings.add("L9", "job " + std::to_string(job) +
                           " was switched at its round limit, and nobody was told");
  }
}

// ---- S7 -----------------------------------------------------------------------------------------

void Register::write_begins(const std::string& value) {
  possible_.push_back(value);
}

void Register::write_acknowledged(const std::string& value) {
  const auto found = std::find(possible_.begin(), possible_.end(), value);
  if (found != possible_.end()) possible_.erase(possible_.begin(), found);
}

void Register::write_refused(const std::string& value) {
  std::erase(possible_, value);
}

void Register::read(const std::string& name, const std::string& value, Findings& findings) {
  findings.evaluated("S7");
  const auto found = std::find(possible_.begin(), possible_.end(), value);
  if (found == possible_.end()) {
    findings.add("S7", name + " reads '" + value + "' although '" + possible_.front() +
                           "' was acknowledged or read before");
    return;
  }
  possible_.erase(possible_.begin(), found);
}

// ---- S13: cancels -------------------------------------------------------------------------------

void Cancels::accepted(TaskId job, Findings& findings) {
  accepted_.insert(job);
  compare(job, findings);
}

void Cancels::ended(TaskId job, bool is_canceled, Findings& findings) {
  if (ended_.emplace(job, is_canceled).second) compare(job, findings);
}

void Cancels::compare(TaskId job, Findings& findings) {
  const auto end = ended_.find(job);
  if (end == ended_.end() || !accepted_.contains(job)) return;
  findings.evaluated("S13");
  if (end->second) return;
  findings.add("S13", "the cancel of job " + std::to_string(job) +
                          " was accepted and the job has not ended as canceled");
}

// ---- S9, S10, S15 -------------------------------------------------------------------------------

void StateHashes::state(NodeId replica, Index applied, std::uint64_t hash, Findings& findings) {
  findings.evaluated("S9");
  const auto [found, added] = hashes_.emplace(applied, std::pair(hash, replica));
  if (!added && found->second.first != hash) {
    findings.add("S9", node_name(replica) + " and " + node_name(found->second.second) +
                           " differ after entry " + std::to_string(applied));
  }
}

void check_digest(const std::string& vm, TaskId job, bool match, Findings& findings) {
  findings.evaluated("S10");
  if (!match) {
    findings.add("S10", "the memory of VM " + vm + " after job " + std::to_string(job) +
                            " is not what it was at the pause");
  }
}

void Images::held(NodeId node, Incarnation process, TaskId job) {
  held_.emplace(node, process, job);
}

void Images::ordered(const std::string& vm, NodeId node, Incarnation process, TaskId job,
                     Findings& findings) {
  findings.evaluated("S10");
  if (held_.contains(std::tuple(node, process, job))) return;
  findings.add("S10", node_name(node) + " is to run VM " + vm + " from the image of job " +
                          std::to_string(job) + ", which this process has never held");
}

void check_memory(NodeId node, std::uint64_t used, std::uint64_t memory, Findings& findings) {
  findings.evaluated("S15");
  if (used > memory) {
    findings.add("S15", node_name(node) + " holds " + std::to_string(used) + " of " +
                            std::to_string(memory) + " bytes of memory");
  }
}

// ---- S11, S12 -----------------------------------------------------------------------------------

void Journals::record(const std::string& vm, const Epoch& epoch, std::uint64_t counter, NodeId node,
                      Incarnation writer, Findings& findings) {
  findings.evaluated("S12");
  Journal& journal = journals_[vm];
  if (epoch < journal.epoch) {
    findings.add("S12", "the journal of VM " + vm + " takes epoch " + to_string(epoch) +
                            " after epoch " + to_string(journal.epoch));
  }
  journal.epoch = std::max(journal.epoch, epoch);
  const auto author = std::pair(node, writer);
  const auto [found, added] = journal.writers.emplace(epoch, author);
  if (!added && found->second != author) {
    findings.add("S12", "epoch " + to_string(epoch) + " of VM " + vm + " is written by both " +
                            node_name(found->second.first) + " and " + node_name(node));
  }
  if (counter == 0) return;
  findings.evaluated("S11");
  if (counter != journal.counter + 1) {
    findings.add("S11", "the counter of VM " + vm + " goes from " +
                            std::to_string(journal.counter) + " to " + std::to_string(counter));
  }
  journal.counter = counter;
}

void Journals::begins(const std::string& vm, NodeId node, std::uint64_t counter,
                      Findings& findings) {
  findings.evaluated("S11");
  const std::uint64_t written = journals_[vm].counter;
  if (counter == written) return;
  findings.add("S11", "VM " + vm + " begins on " + node_name(node) + " with counter " +
                          std::to_string(counter) + " and its journal ends with " +
                          std::to_string(written));
}

// ---- S22 ----------------------------------------------------------------------------------------

void Events::applied(NodeId replica, const pb::EventRecord& event, Findings& findings) {
  findings.evaluated("S22");
  const std::string number = std::to_string(event.number());
  const auto last = last_.find(replica);
  if (last != last_.end() && event.number() != last->second + 1) {
    findings.add("S22", "at " + node_name(replica) + " event " + number + " follows event " +
                            std::to_string(last->second));
  }
  last_[replica] = event.number();
  // Within one process equal records have equal bytes: they hold no map and no unknown field.
  std::string content = event.SerializeAsString();
  const auto [found, added] = contents_.emplace(event.number(), content);
  if (!added && found->second != content) {
    findings.add("S22", "event " + number + " of " + node_name(replica) +
                            " is not what another node recorded under this number");
  }
}

// ---- S13, S14 -----------------------------------------------------------------------------------

namespace {

void check_memory_left(const Holdings& holdings, const std::map<std::string, pb::Vm>& vms,
                       Findings& findings) {
  if (!holdings.transfers.empty()) return;
  std::uint64_t of_guests = 0;
  for (const Holdings::Guest& guest : holdings.guests) {
    const auto vm = vms.find(guest.vm);
    if (vm != vms.end()) of_guests += vm->second.config().memory_bytes();
  }
  if (holdings.memory_bytes <= of_guests) return;
  findings.add("S14", node_name(holdings.node) + " holds " + std::to_string(holdings.memory_bytes) +
                          " bytes of memory, and its guests have " + std::to_string(of_guests));
}

}  // namespace

void check_leaks(const Holdings& holdings, const std::map<std::string, pb::Vm>& vms,
                 const std::set<TaskId>& in_flight, Findings& findings) {
  findings.evaluated("S13");
  findings.evaluated("S14");
  for (const Holdings::Guest& guest : holdings.guests) {
    const std::string where = "VM " + guest.vm + " on " + node_name(holdings.node);
    const auto vm = vms.find(guest.vm);
    if (vm == vms.end() || vm->second.owner() != holdings.node ||
        vm->second.boot_id() != guest.boot_id) {
      findings.add("S14", "a guest of " + where + " is left that is not its owner's");
    } else if (guest.held_by_transfer && vm->second.job() == 0) {
      findings.add("S13", where + " is still held by a migration that has ended");
    }
  }
  for (const Holdings::Transfer& transfer : holdings.transfers) {
    if (in_flight.contains(transfer.job)) continue;
    findings.add("S14", "job " + std::to_string(transfer.job) + " of VM " + transfer.vm +
                            " has ended and is not forgotten on " + node_name(holdings.node));
  }
  check_memory_left(holdings, vms, findings);
}

}  // namespace failsim::invariants
