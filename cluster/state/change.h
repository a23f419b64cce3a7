// The change one command makes: what the apply functions share.
#pragma once

#include <string>
#include <string_view>

#include "cluster/migration/job.h"
#include "cluster/state/apply.h"
#include "cluster/vm/lifecycle.h"
#include "cluster/vm/task_result.h"
#include "cluster/vm/vm_state.h"

namespace failsim {

// Fills in an event record; the record enters the state when the builder goes.
class EventBuilder {
 public:
  EventBuilder(class Change& change, std::string_view kind, std::string object, NodeId node);
  ~EventBuilder();
  EventBuilder(const EventBuilder&) = delete;
  EventBuilder& operator=(const EventBuilder&) = delete;

  EventBuilder& text(std::string_view name, std::string_view value);
  EventBuilder& number(std::string_view name, std::uint64_t value);
  EventBuilder& flag(std::string_view name, bool value);
  EventBuilder& named(std::string_view name, std::uint32_t value, std::string_view value_name);

 private:
  pb::EventRecord::Field& field(std::string_view name);
  Change& change_;
  pb::EventRecord record_;
};

class Change {
 public:
  Change(ClusterState& state, const pb::Command& command, Index index, Mistakes mistakes);

  ClusterState& state() { return state_; }
  const pb::Command& command() const { return command_; }
  Index index() const { return index_; }
  Duration cluster_time() const { return command_.cluster_time_ns(); }
  Applied& applied() { return applied_; }
  bool makes(Mistake mistake) const { return mistakes_.has(mistake); }

  EventBuilder event(std::string_view kind, std::string object, NodeId node = kNoNode);
  EventBuilder vm_event(std::string_view kind, const pb::Vm& vm);

  // Writes the row and marks the VM as touched.
  void put(pb::Vm vm);
  void put(pb::Node node);

  Epoch next_epoch();
  std::uint64_t next_boot_id();

  // Tasks. A task that is 0 is the cluster's own work: nothing is recorded.
  TaskId create_task(std::string_view kind, std::string object);
  void progress(TaskId task, std::uint32_t percent);
  void complete(TaskId task, VMTaskResult result, const Error& error = {});

  // The property, with its event; nothing happens if it stays.
  void set_migration_state(const pb::Vm& vm, MigrationState to, TaskId job);
  void set_failure_reason(const std::string& vm, MigrationFailure reason);

  // The state diagram (vm/lifecycle.h). `announce` is one state-change event.
  void announce(pb::Vm& vm, VmState to);
  void begin(pb::Vm& vm, VmMethod method, TaskId task);
  void enter_step(pb::Vm& vm, const Plan& plan, std::uint32_t step);
  // Gives up the operation under way and its task.
  void abandon(pb::Vm& vm, VMTaskResult result, const Error& error);

  // The job's state in this row, which is not put; with an event unless another one says it.
  void set_job_state(pb::Task& task, JobState to);
  // Ends the migration in flight of `vm` as canceled or failed, and as canceled in any case if it
  // was ShuttingDown. Call before changing the owner.
  void end_migration(pb::Vm& vm, MigrationState outcome, JobState job_state, VMTaskResult result,
                     const Error& error, bool restarted_elsewhere);

  pb::Reply& accept(TaskId task = 0);
  void refuse(const Error& error);
  void too_late() { applied_.refused_by_guard = true; }

  // A migration that waits for its turn may have it now: looked at when the command is applied.
  void note_slots() { slots_noted_ = true; }
  bool slots_noted() const { return slots_noted_; }

 private:
  friend class EventBuilder;
  void add(pb::EventRecord record);

  ClusterState& state_;
  const pb::Command& command_;
  Index index_;
  [[no_unique_address]] Mistakes mistakes_;
  bool slots_noted_ = false;
  Applied applied_;
};

// Nothing sent says nothing: what the job has is kept then.
void keep_statistics(pb::MigrationJob& job, const pb::MigrationStatistics& statistics);
// Those of `rounds` that the job does not have yet; beyond kRoundsKept the oldest go.
inline constexpr int kRoundsKept = 64;
void keep_rounds(pb::MigrationJob& job,
                 const google::protobuf::RepeatedPtrField<pb::MigrationRound>& rounds);

bool same_epoch(const pb::Epoch& a, const pb::Epoch& b);
Epoch epoch_of(const pb::Epoch& epoch);
void set_epoch(pb::Epoch* to, const Epoch& epoch);
VmState state_of(const pb::Vm& vm);
// The plan of the operation under way, which there has to be.
const Plan& plan_under_way(const pb::Vm& vm);
// It is being started from its saved state.
bool is_restoring(const pb::Vm& vm);

// The handlers, by what they change.
void apply_create_vm(Change& change, const pb::Request::CreateVm& request);
void apply_delete_vm(Change& change, const pb::Request::DeleteVm& request);
void apply_vm_method(Change& change, const pb::Request::VmMethod& request);
void apply_vm_step(Change& change, const pb::Command::VmStep& command);
void apply_vm_step_failed(Change& change, const pb::Command::VmStepFailed& command);

void apply_node_joined(Change& change, const pb::Command::NodeJoined& command);
void apply_node_down(Change& change, const pb::Command::NodeDown& command);
void apply_node_up(Change& change, const pb::Command::NodeUp& command);
void apply_failover(Change& change, const pb::Command::Failover& command);
void apply_lower_lease_bound(Change& change, const pb::Command::LowerLeaseBound& command);

void apply_migrate(Change& change, const pb::Request::Migrate& request);
void apply_cancel_migration(Change& change, const pb::Request::CancelMigration& request);
void apply_request_state_change(Change& change, const pb::Request::RequestStateChange& request);
// The waiting job has its turn; false if it cannot begin, which has ended it.
bool begin_migration(Change& change, TaskId job);
// Ends the job of this VM that waits for its turn, if there is one. It has not begun, so the VM's
// MigrationState says nothing of it.
void end_waiting_migration(Change& change, const pb::Vm& vm, MigrationState outcome,
                           JobState ends_in, VMTaskResult result, const Error& error);
void apply_cancel_task(Change& change, const pb::Request::CancelTask& request);
void apply_advance_migration(Change& change, const pb::Command::AdvanceMigration& command);
void apply_complete_migration(Change& change, const pb::Command::CompleteMigration& command);
void apply_abort_migration(Change& change, const pb::Command::AbortMigration& command);
void apply_finish_migration(Change& change, const pb::Command::FinishMigration& command);
void apply_report_digest(Change& change, const pb::Command::ReportDigest& command);
void apply_report_not_converging(Change& change, const pb::Command::ReportNotConverging& command);
void apply_pages_complete(Change& change, const pb::Command::PagesComplete& command);
void apply_keep_rounds(Change& change, const pb::Command::KeepRounds& command);

void apply_set_property(Change& change, const pb::Request::SetProperty& request);
void apply_note_fault(Change& change, const pb::Request::NoteFault& request);

}  // namespace failsim
