// A cluster as its state alone: commands are applied, and nobody performs anything.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/migration/job.h"
#include "cluster/state/apply.h"
#include "cluster/vm/task_result.h"
#include "cluster/vm/vm_state.h"
#include "tests/cluster/formed_cluster.h"

namespace failsim {

class SmallCluster : public testing::Test {
 protected:
  static constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

  // Nodes 1 to 6 with 1000 MiB each, all Up.
  SmallCluster() : state(ClusterState::born(formed_of(6, 1000 * kMebibyte))) {
    for (NodeId id = 1; id <= 6; ++id) {
      pb::Command command;
      command.mutable_node_joined()->set_node(id);
      command.mutable_node_joined()->set_store_id(100 + id);
      command.mutable_node_joined()->set_incarnation(id);
      perform(command);
    }
  }

  Applied perform(pb::Command command) {
    command.set_cluster_time_ns(now);
    return apply(state, command, ++index);
  }
  pb::Reply ask(pb::Request request) {
    request.set_client("test");
    request.set_sequence(index + 1);
    pb::Command command;
    *command.mutable_request() = std::move(request);
    return *perform(command).reply;
  }

  // A VM of 200 MiB that runs.
  void run_vm(const std::string& name, NodeId owner, std::uint64_t mebibytes = 200) {
    pb::Request request;
    request.mutable_create_vm()->set_name(name);
    request.mutable_create_vm()->set_owner(owner);
    request.mutable_create_vm()->set_start(true);
    request.mutable_create_vm()->mutable_config()->set_memory_bytes(mebibytes * kMebibyte);
    ASSERT_EQ(ask(request).code(), 0u);
    const pb::Vm& vm = *state.vm(name);
    pb::Command command;
    command.mutable_vm_step()->set_vm(name);
    *command.mutable_vm_step()->mutable_epoch() = vm.epoch();
    command.mutable_vm_step()->set_boot_id(vm.boot_id());
    command.mutable_vm_step()->set_step(vm.operation().step());
    ASSERT_FALSE(perform(command).refused_by_guard);
  }
  pb::Reply migrate(const std::string& vm, NodeId target) {
    pb::Request request;
    request.mutable_migrate()->set_vm(vm);
    request.mutable_migrate()->set_target(target);
    return ask(request);
  }
  pb::Reply cancel(const std::string& vm) {
    pb::Request request;
    request.mutable_cancel_migration()->set_vm(vm);
    return ask(request);
  }
  pb::Reply request_state(TaskId job, RequestedState requested, Duration period = 0) {
    pb::Request request;
    request.mutable_request_state_change()->set_job(job);
    request.mutable_request_state_change()->set_requested_state(
        static_cast<std::uint32_t>(requested));
    request.mutable_request_state_change()->set_timeout_ns(period);
    return ask(request);
  }
  pb::Reply set(ObjectKind kind, const std::string& object, const std::string& property,
                const std::string& text) {
    const PropertySpec& spec = *lookup(kind, property).value();
    pb::Request request;
    request.mutable_set_property()->set_kind(std::string(name(kind)));
    request.mutable_set_property()->set_object(object);
    request.mutable_set_property()->set_name(property);
    request.mutable_set_property()->set_value(encode_value(parse(spec, text).value()).value());
    return ask(request);
  }

  // ---- what a leader proposes ----
  bool advance(TaskId job, MigrationState from, MigrationState to) {
    pb::Command command;
    pb::Command::AdvanceMigration& advance = *command.mutable_advance_migration();
    advance.set_vm(of(job).vm());
    advance.set_job(job);
    advance.set_attempt(of(job).attempt());
    advance.set_from_phase(static_cast<std::uint32_t>(from));
    advance.set_to_phase(static_cast<std::uint32_t>(to));
    return !perform(command).refused_by_guard;
  }
  bool begin_transfer(TaskId job) {
    return advance(job, MigrationState::kSetup, MigrationState::kDataTransfer);
  }
  // The source says that it stands still, or goes on.
  bool source_followed(TaskId job) {
    return advance(job, MigrationState::kDataTransfer, MigrationState::kDataTransfer);
  }
  bool abort(TaskId job, VMTaskResult result = VMTaskResult::kUnexpectedError) {
    pb::Command command;
    pb::Command::AbortMigration& abort = *command.mutable_abort_migration();
    abort.set_vm(of(job).vm());
    abort.set_job(job);
    abort.set_attempt(of(job).attempt());
    abort.set_phase(of(job).phase());
    abort.set_task_result(static_cast<std::uint32_t>(result));
    abort.set_error(static_cast<std::uint32_t>(Code::kOperationAborted));
    abort.set_message("It was aborted.");
    return !perform(command).refused_by_guard;
  }

  // ---- looking ----
  const pb::Task& task(TaskId job) const { return *state.task(job); }
  const pb::MigrationJob& of(TaskId job) const { return task(job).job(); }
  JobState job_state(TaskId job) const { return *job_state_of(of(job).job_state()); }
  MigrationState phase(const std::string& vm) const { return state.migration_state(vm); }
  std::string reason(const std::string& vm) const {
    const Value value = state.property(ObjectKind::kVm, vm, "MigrationFailureReason");
    return std::string(name(*migration_failure_of(static_cast<std::uint32_t>(value.number()))));
  }
  // "Running -> Suspended" and so on, of the events of the job.
  std::vector<std::string> steps(TaskId job) const {
    std::vector<std::string> steps;
    for (const auto& [number, event] : state.events()) {
      if (event->kind() != "job-state") continue;
      std::string step;
      bool is_of_job = false;
      for (const auto& field : event->fields()) {
        if (field.name() == "job_id") is_of_job = field.number() == job;
        if (field.name() == "from") step = field.named().name();
        if (field.name() == "to") step += " -> " + field.named().name();
      }
      if (is_of_job) steps.push_back(step);
    }
    return steps;
  }
  std::vector<std::string> outcomes(TaskId job) const {
    std::vector<std::string> outcomes;
    for (const pb::StateRequest& request : of(job).requests()) {
      outcomes.push_back(std::string(requested_state_name(request.requested_state())) + ": " +
                         request.outcome());
    }
    return outcomes;
  }

  ClusterState state;
  Index index = 0;
  Duration now = kSecond;
};

}  // namespace failsim
