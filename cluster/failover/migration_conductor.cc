#include "cluster/failover/migration_conductor.h"

#include <optional>

#include "cluster/error.h"
#include "cluster/failover/job_steps.h"
#include "cluster/migration/post_copy.h"
#include "cluster/state/job_row.h"
#include "cluster/vm/task_result.h"

namespace failsim {
namespace {

using Transfer = pb::PeerMessage::Report::Transfer;

// Each costs an entry of the log.
constexpr int kRoundsKeptAtOnce = 4;

pb::TransferStatus status(const Transfer* said) {
  return said == nullptr ? pb::TRANSFER_IDLE : said->status();
}

bool is_unchecked(const pb::MigrationJob& job) {
  return job.statistics().digest() == pb::MigrationStatistics::DIGEST_UNKNOWN;
}

MigrationState phase_of(const pb::MigrationJob& job) {
  return *migration_state_of(job.phase());
}

// ---- Commands: each carries the job, attempt and phase it was decided on
// --------------------------

pb::Command abort_of(const pb::Task& task, VMTaskResult result, Code error, std::string message) {
  pb::Command command;
  pb::Command::AbortMigration& abort = *command.mutable_abort_migration();
  abort.set_vm(task.job().vm());
  abort.set_job(task.id());
  abort.set_attempt(task.job().attempt());
  abort.set_phase(task.job().phase());
  abort.set_task_result(static_cast<std::uint32_t>(result));
  abort.set_error(static_cast<std::uint32_t>(error));
  abort.set_message(std::move(message));
  return command;
}

pb::Command advance_of(const pb::Task& task, MigrationState to) {
  pb::Command command;
  pb::Command::AdvanceMigration& advance = *command.mutable_advance_migration();
  advance.set_vm(task.job().vm());
  advance.set_job(task.id());
  advance.set_attempt(task.job().attempt());
  advance.set_from_phase(task.job().phase());
  advance.set_to_phase(static_cast<std::uint32_t>(to));
  return command;
}

pb::Command not_converging(const pb::Task& task, const pb::MigrationStatistics& statistics) {
  pb::Command command;
  pb::Command::ReportNotConverging& report = *command.mutable_report_not_converging();
  report.set_vm(task.job().vm());
  report.set_job(task.id());
  report.set_attempt(task.job().attempt());
  *report.mutable_statistics() = statistics;
  return command;
}

// Nothing if the job has them all, or lacks fewer than `fewest`.
std::optional<pb::Command> new_rounds(const pb::Task& task, const Transfer& source, int fewest) {
  const auto& kept = task.job().rounds();
  const std::uint32_t next = kept.empty() ? 0 : kept.rbegin()->number() + 1;
  pb::Command command;
  pb::Command::KeepRounds& keep = *command.mutable_keep_rounds();
  for (const pb::MigrationRound& round : source.rounds()) {
    if (round.number() >= next) *keep.add_rounds() = round;
  }
  if (keep.rounds_size() < fewest) return std::nullopt;
  keep.set_vm(task.job().vm());
  keep.set_job(task.id());
  keep.set_attempt(task.job().attempt());
  return command;
}

pb::Command completion(const pb::Task& task, const pb::MigrationStatistics& statistics) {
  pb::Command command;
  pb::Command::CompleteMigration& complete = *command.mutable_complete_migration();
  complete.set_vm(task.job().vm());
  complete.set_job(task.id());
  complete.set_attempt(task.job().attempt());
  complete.set_target_incarnation(task.job().target_incarnation());
  *complete.mutable_statistics() = statistics;
  return command;
}

pb::Command abort_of_broken(const pb::Task& task, const Transfer& broken) {
  const VMTaskResult result =
      task_result_of(broken.task_result()).value_or(VMTaskResult::kUnexpectedError);
  const Code code = result == VMTaskResult::kOutOfMemoryError ? Code::kNoSystemResources
                                                              : Code::kOperationAborted;
  return abort_of(task, result, code, broken.error());
}

pb::Command abort_without_target(const pb::Task& task) {
  const pb::MigrationJob& job = task.job();
  return abort_of(task, VMTaskResult::kUnexpectedError, Code::kNodeDown,
                  "The target " + node_name(job.target()) + " died during " +
                      std::string(name(phase_of(job))) + "; VM '" + job.vm() + "' stays on " +
                      node_name(job.source()) + ".");
}

pb::Command abort_too_late(const pb::Task& task) {
  const pb::MigrationJob& job = task.job();
  return abort_of(task, VMTaskResult::kTimeOutError, Code::kTimeout,
                  "The migration of VM '" + job.vm() + "' exceeded its time in " +
                      std::string(name(phase_of(job))) + "; the VM stays on " +
                      node_name(job.source()) + ".");
}

// ---- Post-copy: the owner is the target, and pages are missing there

bool holds_pages(const Transfer* target) {
  return status(target) == pb::TRANSFER_HOLDS_PAGES || status(target) == pb::TRANSFER_VERIFIED;
}

pb::Command pages_complete(const pb::Task& task, pb::MigrationStatistics statistics) {
  pb::Command command;
  pb::Command::PagesComplete& complete = *command.mutable_pages_complete();
  complete.set_vm(task.job().vm());
  complete.set_job(task.id());
  complete.set_attempt(task.job().attempt());
  statistics.set_digest(pb::MigrationStatistics::DIGEST_UNKNOWN);
  *complete.mutable_statistics() = std::move(statistics);
  return command;
}

constexpr const char* kWhatIsLost =
    "what the guest had in memory is lost, and it starts again from its disk.";

pb::Command give_up_without_source(const pb::Task& task) {
  const pb::MigrationJob& job = task.job();
  return abort_of(task, VMTaskResult::kUnexpectedError, Code::kNodeDown,
                  "The source " + node_name(job.source()) +
                      " died in post-copy, while pages of VM '" + job.vm() + "' were missing on " +
                      node_name(job.target()) + ": " + kWhatIsLost);
}

pb::Command give_up_too_late(const pb::Task& task) {
  const pb::MigrationJob& job = task.job();
  return abort_of(
      task, VMTaskResult::kTimeOutError, Code::kTimeout,
      "The pages of VM '" + job.vm() + "' that were missing in post-copy did not come from " +
          node_name(job.source()) + " to " + node_name(job.target()) + " in time: " + kWhatIsLost);
}

}  // namespace

std::string migration_key(const std::string& vm) {
  return "job/" + vm;
}

pb::Command abort_without_owner(const pb::Vm& vm, const pb::Task& task) {
  const std::string side = vm.owner() == task.job().source() ? "source " : "target ";
  return abort_of(task, VMTaskResult::kUnexpectedError, Code::kNodeDown,
                  "The " + side + node_name(vm.owner()) + " died and no other node has room.");
}

// ---- What is said -------------------------------------------------------------------------------

void MigrationConductor::elected() {
  said_.clear();
  target_failed_.clear();
}

void MigrationConductor::report(NodeId from, const Transfer& transfer, Index applied) {
  said_[{transfer.job(), from}] = {transfer, applied};
}

void MigrationConductor::forget_ended(const ClusterState& state) {
  const auto ended = [&](TaskId id) {
    const pb::Task* task = state.task(id);
    if (task == nullptr) return true;
    const bool digest_open = task->job().phase() == 0 && is_unchecked(task->job());
    return task->complete() && !digest_open;
  };
  std::erase_if(said_, [&](const auto& said) { return ended(said.first.first); });
  std::erase_if(target_failed_, [&](const auto& said) { return ended(said.first); });
}

const Transfer* MigrationConductor::said(const pb::Task& task, NodeId side) const {
  const auto report = said_.find({task.id(), side});
  if (report == said_.end()) return nullptr;
  const Transfer& transfer = report->second.transfer;
  return transfer.attempt() == task.job().attempt() ? &transfer : nullptr;
}

// A target that sends and hears nothing can hold all pages; the VM would stand still there until
// its node is called Down, and its progress would be lost.
bool MigrationConductor::target_knows_of_move(const pb::Task& task) const {
  const auto report = said_.find({task.id(), task.job().target()});
  return report != said_.end() && report->second.applied >= task.job().move_index();
}

void MigrationConductor::observe_job(const ClusterState& state, TaskId id,
                                     pb::Command& command) const {
  const pb::Task* task = state.task(id);
  if (task == nullptr || !task->has_job() || task->complete()) return;
  const Transfer* source = said(*task, task->job().source());
  if (source == nullptr) return;
  pb::Command::Observed& observed = *command.add_observed();
  observed.set_job(id);
  *observed.mutable_statistics() = source->statistics();
  *observed.mutable_rounds() = source->rounds();
}

void MigrationConductor::observe(const ClusterState& state, pb::Command& command) const {
  const auto of_vm = [&](const std::string& name) {
    const pb::Vm* vm = state.vm(name);
    if (vm != nullptr && vm->job() != 0) observe_job(state, vm->job(), command);
  };
  const pb::Request& request = command.request();
  if (request.has_cancel_migration()) of_vm(request.cancel_migration().vm());
  if (request.has_request_state_change()) {
    observe_job(state, request.request_state_change().job(), command);
  }
  if (request.has_cancel_task()) observe_job(state, request.cancel_task().task(), command);
  if (command.has_abort_migration()) of_vm(command.abort_migration().vm());
  for (const auto& assignment : command.failover().assignments()) of_vm(assignment.vm());
}

// ---- What comes next ----------------------------------------------------------------------------

void MigrationConductor::decide(Decision& decision, const pb::Vm& vm) {
  const pb::Task* task = decision.state().job_of(vm);
  if (task != nullptr) decide_job(decision, vm, *task);
  decide_digest(decision, vm);
}

void MigrationConductor::decide_job(Decision& decision, const pb::Vm& vm, const pb::Task& task) {
  const pb::MigrationJob& job = task.job();
  const Sides sides{task, job, said(task, job.source()), said(task, job.target())};
  if (job.phase() == 0) return decide_finish(decision, sides);
  keep_rounds(decision, sides);
  if (pages_follow(vm, task)) return decide_pages(decision, sides);
  if (complete(decision, sides)) return;
  if (follow_request(decision, sides)) return;
  if (abort(decision, sides)) return;
  advance(decision, vm, sides);
}

// Some at a time, and the rest when the last has ended.
void MigrationConductor::keep_rounds(Decision& decision, const Sides& sides) const {
  if (sides.source == nullptr) return;
  const bool are_all = status(sides.source) == pb::TRANSFER_CONVERGED ||
                       status(sides.source) == pb::TRANSFER_RELEASED;
  const auto keep = new_rounds(sides.task, *sides.source, are_all ? 1 : kRoundsKeptAtOnce);
  if (keep) decision.propose("rounds/" + sides.job.vm(), *keep);
}

void MigrationConductor::decide_finish(Decision& decision, const Sides& sides) const {
  if (status(sides.target) != pb::TRANSFER_RESUMED && !holds_pages(sides.target)) return;
  pb::Command command;
  pb::Command::FinishMigration& finish = *command.mutable_finish_migration();
  finish.set_vm(sides.job.vm());
  finish.set_job(sides.task.id());
  finish.set_attempt(sides.job.attempt());
  *finish.mutable_statistics() = sides.target->statistics();
  finish.mutable_statistics()->set_digest(pb::MigrationStatistics::DIGEST_UNKNOWN);
  decision.propose(migration_key(sides.job.vm()), std::move(command));
}

// Whether the owner changes now: everything is at a target that lives and hears.
bool MigrationConductor::complete(Decision& decision, const Sides& sides) const {
  const LeaderView& view = decision.view();
  const bool by_source = view.mistakes.has(Mistake::kCompleteBeforeHeld);
  const Transfer* holder = by_source ? sides.source : sides.target;
  const pb::TransferStatus held = by_source               ? pb::TRANSFER_RELEASED
                                  : sides.job.post_copy() ? pb::TRANSFER_HOLDS_STATE
                                                          : pb::TRANSFER_HOLDS_ALL;
  if (phase_of(sides.job) != MigrationState::kMove || status(holder) != held) return false;
  if (!lives(view.state, sides.job.target(), sides.job.target_incarnation())) return false;
  if (!by_source && !target_knows_of_move(sides.task)) return false;
  decision.propose(migration_key(sides.job.vm()), completion(sides.task, holder->statistics()));
  return true;
}

// Pages that will not come are given up, whatever the guest has done since. That a target without
// its source has them all only it can tell, so it is heard first.
void MigrationConductor::decide_pages(Decision& decision, const Sides& sides) const {
  const LeaderView& view = decision.view();
  const pb::MigrationJob& job = sides.job;
  const std::string key = migration_key(job.vm());
  const bool is_heard =
      sides.target != nullptr && lives(view.state, job.target(), job.target_incarnation());
  if (!is_heard) return;
  if (holds_pages(sides.target)) {
    return decision.propose(key, pages_complete(sides.task, sides.target->statistics()));
  }
  if (!lives(view.state, job.source(), job.source_incarnation())) {
    return decision.propose(key, give_up_without_source(sides.task));
  }
  for (const Transfer* side : {sides.source, sides.target}) {
    if (status(side) != pb::TRANSFER_FAILED) continue;
    return decision.propose(key, abort_of_broken(sides.task, *side));
  }
  if (view.cluster_now < job.phase_deadline_ns()) return;
  decision.propose(key, give_up_too_late(sides.task));
}

// Whether the job comes to what somebody asked of it.
bool MigrationConductor::follow_request(Decision& decision, const Sides& sides) const {
  SourceSaid source;
  source.lives = lives(decision.state(), sides.job.source(), sides.job.source_incarnation());
  source.status = status(sides.source);
  if (sides.source != nullptr) source.statistics = sides.source->statistics();
  auto step = job_step(sides.job, sides.task.id(), source, decision.view().cluster_now);
  if (!step.has_value()) return false;
  decision.propose(migration_key(sides.job.vm()), std::move(*step));
  return true;
}

// Whether the migration cannot go on.
bool MigrationConductor::abort(Decision& decision, const Sides& sides) {
  const LeaderView& view = decision.view();
  const std::string key = migration_key(sides.job.vm());
  if (!lives(view.state, sides.job.target(), sides.job.target_incarnation())) {
    decision.propose(key, abort_without_target(sides.task));
    return true;
  }
  const Transfer* broken = broken_side(decision, sides);
  if (broken != nullptr) {
    decision.propose(key, abort_of_broken(sides.task, *broken));
    return true;
  }
  const Duration deadline = sides.job.phase_deadline_ns();
  if (deadline == 0 || view.cluster_now < deadline) return false;
  decision.propose(key, abort_too_late(sides.task));
  return true;
}

// To the next phase, when its condition has come.
void MigrationConductor::advance(Decision& decision, const pb::Vm& vm, const Sides& sides) const {
  if (is_held(sides.job)) return;
  const std::string key = migration_key(sides.job.vm());
  const MigrationState phase = phase_of(sides.job);
  if (phase == MigrationState::kSetup && status(sides.target) == pb::TRANSFER_READY) {
    return decision.propose(key, advance_of(sides.task, MigrationState::kDataTransfer));
  }
  if (phase != MigrationState::kDataTransfer) return;
  if (status(sides.source) == pb::TRANSFER_STREAMING &&
      !sides.source->statistics().not_converging().empty() &&
      sides.job.statistics().not_converging().empty()) {
    return decision.propose(key, not_converging(sides.task, sides.source->statistics()));
  }
  // The check of the image the guest came from ends before the guest leaves.
  if (verification_open(decision.state(), vm)) return;
  if (status(sides.source) != pb::TRANSFER_CONVERGED) return;
  pb::Command to_move = advance_of(sides.task, MigrationState::kMove);
  *to_move.mutable_advance_migration()->mutable_statistics() = sides.source->statistics();
  to_move.mutable_advance_migration()->set_post_copy(sides.source->post_copy());
  decision.propose(key, std::move(to_move));
}

// The side whose failure ends the migration; null if none does. A target that saw its connection
// close knows only that: the source may be dead, which is for the failover to end, so the target's
// word counts alone only in Setup or when the source lives on and says nothing.
const Transfer* MigrationConductor::broken_side(const Decision& decision, const Sides& sides) {
  const LeaderView& view = decision.view();
  if (!lives(view.state, sides.job.source(), sides.job.source_incarnation())) return nullptr;
  if (status(sides.source) == pb::TRANSFER_FAILED) return sides.source;
  if (status(sides.target) != pb::TRANSFER_FAILED) return nullptr;
  if (phase_of(sides.job) == MigrationState::kSetup) return sides.target;
  const Time failed_at = target_failed_.try_emplace(sides.task.id(), view.now).first->second;
  return view.now >= failed_at + 2 * decision.detection_time() ? sides.target : nullptr;
}

// ---- After the end ------------------------------------------------------------------------------

// Whether the pages of the image this VM runs from are still being checked against their counts.
bool MigrationConductor::verification_open(const ClusterState& state, const pb::Vm& vm) const {
  if (vm.origin() != pb::ORIGIN_IMAGE) return false;
  const pb::Task* task = state.task(vm.image_job());
  if (task == nullptr || !task->complete() || !is_unchecked(task->job())) return false;
  if (task->job().phase() != 0) return false;  // its pages were given up
  // A check that was given up says so.
  const Transfer* target = said(*task, task->job().target());
  return status(target) != pb::TRANSFER_VERIFIED ||
         target->statistics().digest() != pb::MigrationStatistics::DIGEST_UNKNOWN;
}

void MigrationConductor::decide_digest(Decision& decision, const pb::Vm& vm) const {
  if (!verification_open(decision.state(), vm)) return;
  const pb::Task* task = decision.state().task(vm.image_job());
  const Transfer* target = said(*task, task->job().target());
  if (status(target) != pb::TRANSFER_VERIFIED) return;
  pb::Command command;
  pb::Command::ReportDigest& digest = *command.mutable_report_digest();
  digest.set_vm(vm.name());
  digest.set_job(task->id());
  digest.set_attempt(task->job().attempt());
  digest.set_match(target->statistics().digest() == pb::MigrationStatistics::DIGEST_MATCH);
  digest.set_detail(target->error());
  decision.propose("digest/" + vm.name(), std::move(command));
}

}  // namespace failsim
