#include "tools/scenario/request_text.h"

#include <utility>

#include "cluster/migration/job.h"
#include "cluster/property/clusprop.h"
#include "cluster/property/property_table.h"
#include "cluster/vm/lifecycle.h"
#include "tools/scenario/exact_text.h"
#include "tools/scenario/requests.h"

namespace failsim::scenario {
namespace {

Action action(std::string verb, std::vector<std::string> words) {
  return Action{std::move(verb), std::move(words), {}};
}

// Leaves out what would be there anyway.
void give(Action& action, const std::string& option, const std::string& value) {
  if (action.option(option) != value) action.options[option] = value;
}

Action create(const pb::Request::CreateVm& request) {
  Action create = action("vm create", {request.name()});
  const pb::VmConfig& config = request.config();
  if (request.owner() != kNoNode) create.options["--owner"] = node_name(request.owner());
  give(create, "--memory", size_text(config.memory_bytes()));
  give(create, "--dirty-rate", rate_text(config.dirty_bytes_per_second()));
  give(create, "--working-set", size_text(config.working_set_bytes()));
  if (config.pattern() == pb::PATTERN_HOT_SET) create.options["--pattern"] = "hot-set";
  if (config.pattern() == pb::PATTERN_SEQUENTIAL) create.options["--pattern"] = "sequential";
  if (config.fill() == pb::FILL_ZERO) create.options["--fill"] = "zero";
  if (config.modelled()) create.options["--modelled"] = "";
  if (request.start()) create.options["--start"] = "";
  return create;
}

Action migrate(const pb::Request::Migrate& request) {
  Action migrate = action("migrate", {request.vm()});
  const pb::MigrationParameters& parameters = request.parameters();
  migrate.options["--to"] =
      request.target() != kNoNode ? node_name(request.target()) : request.target_name();
  if (parameters.bandwidth_bytes_per_second() != 0) {
    migrate.options["--bandwidth"] = rate_text(parameters.bandwidth_bytes_per_second());
  }
  if (parameters.downtime_limit_ns() != 0) {
    give(migrate, "--downtime-limit", duration_text(parameters.downtime_limit_ns()));
  }
  if (parameters.max_rounds() != 0 && parameters.max_rounds() != kUsualMaxRounds) {
    migrate.options["--max-rounds"] = std::to_string(parameters.max_rounds());
  }
  if (parameters.timeout_ns() != 0) {
    migrate.options["--timeout"] = duration_text(parameters.timeout_ns());
  }
  if (parameters.verify() == pb::VERIFY_BEFORE_RESUME) {
    migrate.options["--verify"] = "before-resume";
  }
  return migrate;
}

std::optional<Action> set_property(const pb::Request::SetProperty& request) {
  const auto value = decode_value(request.value());
  if (!value) return std::nullopt;
  const std::string object =
      request.object().empty() ? request.kind() : request.kind() + "/" + request.object();
  return action("property set", {object, request.name(), to_text(value.value())});
}

Action request_state_change(const pb::Request::RequestStateChange& request,
                            const TaskWord& task_word) {
  const std::uint32_t state = request.requested_state();
  const bool is_named = state >= 2 && state <= 6;
  Action change =
      action("job request-state-change",
             {task_word(request.job()),
              is_named ? std::string(requested_state_name(state)) : std::to_string(state)});
  if (request.timeout_ns() != 0)
    change.options["--timeout"] = format_interval(request.timeout_ns());
  return change;
}

std::optional<Action> vm_method(const pb::Request::VmMethod& request) {
  const auto method = vm_method_of(request.method());
  if (!method) return std::nullopt;
  return action("vm " + std::string(verb(*method)), {request.vm()});
}

}  // namespace

std::optional<Action> action_of(const pb::Request& request, const TaskWord& task_word) {
  switch (request.body_case()) {
    case pb::Request::kCreateVm:
      return create(request.create_vm());
    case pb::Request::kDeleteVm:
      return action("vm delete", {request.delete_vm().vm()});
    case pb::Request::kVmMethod:
      return vm_method(request.vm_method());
    case pb::Request::kMigrate:
      return migrate(request.migrate());
    case pb::Request::kCancelMigration:
      return action("migrate cancel", {request.cancel_migration().vm()});
    case pb::Request::kRequestStateChange:
      return request_state_change(request.request_state_change(), task_word);
    case pb::Request::kSetProperty:
      return set_property(request.set_property());
    case pb::Request::kCancelTask:
      return action("task cancel", {task_word(request.cancel_task().task())});
    case pb::Request::kNoteFault:
    case pb::Request::BODY_NOT_SET:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace failsim::scenario
