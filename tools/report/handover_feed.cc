#include "tools/report/handover_feed.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <string_view>

namespace failsim::history {
namespace {

using handover::Action;
using handover::Process;
using handover::Step;

const pb::EventRecord::Field& field(const pb::EventRecord& event, std::string_view name) {
  const auto found = std::find_if(event.fields().begin(), event.fields().end(),
                                  [&](const auto& candidate) { return candidate.name() == name; });
  assert(found != event.fields().end());
  return *found;
}

Epoch epoch_of(const pb::Epoch& epoch) {
  return {epoch.recovery(), epoch.counter()};
}

// "recovery.counter", as to_string() writes it.
Epoch parse_epoch(const std::string& text) {
  Epoch epoch;
  const char* end = text.data() + text.size();
  const char* point = std::from_chars(text.data(), end, epoch.recovery).ptr;
  assert(point < end);
  std::from_chars(point + 1, end, epoch.counter);
  return epoch;
}

}  // namespace

bool HandoverFeed::committed(const pb::LogEntry& entry) {
  if (entry.index() <= committed_) return false;
  committed_ = entry.index();
  pb::Command command;
  const bool well_formed = command.ParseFromString(entry.command());
  assert(well_formed);
  static_cast<void>(well_formed);
  if (command.has_complete_migration()) {
    const auto& complete = command.complete_migration();
    completions_[{complete.vm(), complete.job()}].push_back(complete.target_incarnation());
  }
  for (const auto& assignment : command.failover().assignments()) {
    failovers_[{assignment.vm(), epoch_of(assignment.epoch())}].push_back(
        {{assignment.to(), assignment.to_incarnation()}, assignment.boot_id() != 0});
  }
  return command.has_complete_migration() || command.failover().assignments_size() > 0;
}

void HandoverFeed::happened(const pb::EventRecord& event, const ClusterState& state) {
  if (event.kind() == "vm-created") created(field(event, "vm").text(), state);
  if (event.kind() == "migration-state") migration_moved(event, state);
  if (event.kind() == "owner") owner_changed(event, state);
  if (event.kind() == "migrated") {
    Action action;
    action.step = Step::kFinish;
    action.job = field(event, "job_id").number();
    tell_(history::HandoverStep{field(event, "vm").text(), action});
  }
}

// Gone again in the same step: it did nothing.
void HandoverFeed::created(const std::string& vm, const ClusterState& state) {
  const pb::Vm* row = state.vm(vm);
  if (row == nullptr) return;
  tell_(history::OwnershipBegan{
      vm, {row->owner(), row->owner_incarnation()}, epoch_of(row->epoch())});
}

void HandoverFeed::migration_moved(const pb::EventRecord& event, const ClusterState& state) {
  const std::string& vm = field(event, "vm").text();
  Action action;
  action.job = field(event, "job_id").number();
  if (action.job == handover::kNoJob) return;  // a client wrote the property
  action.phase = *migration_state_of(field(event, "from").named().value());
  switch (*migration_state_of(field(event, "to").named().value())) {
    case MigrationState::kNoMigration:
      if (!pages_follow(vm)) return;  // Complete, which the change of owner tells
      action.step = Step::kPagesComplete;
      break;
    case MigrationState::kSetup: {
      action.step = Step::kStartMigration;
      const pb::Task* task = state.task(action.job);
      if (task != nullptr)
        action.process = {task->job().target(), task->job().target_incarnation()};
      break;
    }
    case MigrationState::kDataTransfer:
      action.step = Step::kBeginTransfer;
      break;
    case MigrationState::kMove:
      action.step = Step::kBeginMove;
      break;
    case MigrationState::kCanceled:
      action.step = Step::kCancel;
      break;
    case MigrationState::kFailure:
      if (action.phase == MigrationState::kNoMigration)
        return;  // the new owner fails: see FailOver
      action.step = pages_follow(vm) ? Step::kGiveUpPages : Step::kAbort;
      break;
  }
  tell_(history::HandoverStep{vm, action});
}

// The owner has changed in post-copy, and not every page has come since.
bool HandoverFeed::pages_follow(const std::string& vm) const {
  const handover::Agreed* agreed = trace_.agreed(vm);
  return agreed != nullptr && agreed->phase == MigrationState::kMove &&
         agreed->target == handover::kNobody;
}

void HandoverFeed::owner_changed(const pb::EventRecord& event, const ClusterState& state) {
  const std::string& vm = field(event, "vm").text();
  const Epoch epoch = parse_epoch(field(event, "epoch").text());
  // An owner that has lost the VM again in the same step is known by its command alone.
  const pb::Vm* row = state.vm(vm);
  Process to{event.node(), 0};
  if (row != nullptr && epoch_of(row->epoch()) == epoch) to.incarnation = row->owner_incarnation();
  Action action =
      field(event, "reason").text() == "live migration" ? completion(vm, to) : failover(vm, to);
  action.epoch = epoch;
  const pb::Task* job = action.step == Step::kComplete ? state.task(action.job) : nullptr;
  if (job != nullptr && job->job().post_copy()) action.step = Step::kCompletePostCopy;
  tell_(history::HandoverStep{vm, action});
}

// A command for the job in flight that names the new owner; without one the action names no job.
Action HandoverFeed::completion(const std::string& vm, const Process& to) const {
  Action action;
  action.step = Step::kComplete;
  action.process = to;
  const handover::Agreed* agreed = trace_.agreed(vm);
  if (agreed == nullptr) return action;
  const auto found = completions_.find({vm, agreed->job});
  if (found == completions_.end()) return action;
  for (const Incarnation incarnation : found->second) {
    if (to.incarnation != 0 && to.incarnation != incarnation) continue;
    action.process.incarnation = incarnation;
    action.job = agreed->job;
  }
  return action;
}

// A command decided on the present epoch that names the new owner; without one the action says that
// it was decided on nothing.
Action HandoverFeed::failover(const std::string& vm, const Process& to) const {
  Action action;
  action.step = Step::kFailOver;
  action.process = to;
  const handover::Agreed* agreed = trace_.agreed(vm);
  if (agreed == nullptr) return action;
  const auto found = failovers_.find({vm, agreed->epoch});
  if (found == failovers_.end()) return action;
  for (const Assigned& assigned : found->second) {
    if (assigned.to.node != to.node) continue;
    if (to.incarnation != 0 && to.incarnation != assigned.to.incarnation) continue;
    action.step = assigned.owner_lives ? Step::kTakeAway : Step::kFailOver;
    action.process = assigned.to;
    action.decided_on = agreed->epoch;
  }
  return action;
}

}  // namespace failsim::history
