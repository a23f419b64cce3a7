// The writing half of the interface: requests to the cluster.
#include <limits>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "cluster/migration/job.h"
#include "cluster/migration/told_habit.h"
#include "cluster/state/object_name.h"
#include "cluster/state/planned_migration.h"
#include "cluster/vm/lifecycle.h"
#include "node/api/api.h"
#include "node/api/render.h"

namespace failsim::node {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 60;
constexpr std::uint64_t kMostMs = kMaximumTimeoutPeriod / kMillisecond;
constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();

constexpr std::uint64_t kDefaultMemoryBytes = 256 * kMiB;
constexpr std::uint64_t kDefaultDirtyRate = 20 * kMiB;
constexpr std::uint64_t kDefaultWorkingSet = 32 * kMiB;
constexpr std::uint64_t kDefaultDowntimeLimitMs = 300;
constexpr std::uint64_t kDefaultMaxRounds = 30;
constexpr std::uint64_t kDefaultStreams = 1;

Error no_such_node(const std::string& name) {
  return {Code::kNodeNotFound, "There is no node called '" + name.substr(0, 80) + "'.",
          "See 'failsim node list'."};
}

Error no_such_task(const std::string& id) {
  return {Code::kNotFound, "There is no task or job '" + id.substr(0, 80) + "'.",
          "See 'failsim task list'."};
}

Duration of_ms(std::uint64_t ms) {
  return static_cast<Duration>(ms) * kMillisecond;
}

pb::VmConfig config_of(Arguments& arguments) {
  pb::VmConfig config;
  config.set_memory_bytes(arguments.number("memory_bytes", kDefaultMemoryBytes, kMostBytes));
  config.set_dirty_bytes_per_second(
      arguments.number("dirty_bytes_per_second", kDefaultDirtyRate, kMostBytes));
  config.set_working_set_bytes(
      arguments.number("working_set_bytes", kDefaultWorkingSet, kMostBytes));
  config.set_pattern(static_cast<pb::DirtyPattern>(
      arguments.choice("pattern", {"uniform", "hot-set", "sequential"}, 0)));
  config.set_fill(static_cast<pb::PageFill>(arguments.choice("fill", {"random", "zero"}, 0)));
  config.set_modelled(arguments.flag("modelled", false));
  return config;
}

pb::MigrationParameters parameters_of(Arguments& arguments) {
  pb::MigrationParameters parameters;
  parameters.set_bandwidth_bytes_per_second(
      arguments.number("bandwidth_bytes_per_second", 0, kMostBytes));
  parameters.set_downtime_limit_ns(
      of_ms(arguments.number("downtime_limit_ms", kDefaultDowntimeLimitMs, kMostMs)));
  parameters.set_max_rounds(
      static_cast<std::uint32_t>(arguments.number("max_rounds", kDefaultMaxRounds, kMost32)));
  parameters.set_timeout_ns(of_ms(arguments.number("timeout_ms", 0, kMostMs)));
  parameters.set_max_downtime_ns(of_ms(arguments.number("max_downtime_ms", 0, kMostMs)));
  parameters.set_max_bytes(arguments.number("max_bytes", 0, kMostBytes));
  parameters.set_on_no_convergence(static_cast<pb::OnNoConvergence>(arguments.choice(
      "on_no_convergence", {kOnNoConvergenceWords.begin(), kOnNoConvergenceWords.end()}, 0)));
  const auto percent = [&](const char* name) {
    return static_cast<std::uint32_t>(arguments.number(name, 0, kMostThrottlePercent));
  };
  parameters.set_throttle_first_percent(percent("throttle_first_percent"));
  parameters.set_throttle_step_percent(percent("throttle_step_percent"));
  parameters.set_throttle_most_percent(percent("throttle_most_percent"));
  parameters.set_streams(
      static_cast<std::uint32_t>(arguments.number("streams", kDefaultStreams, kMost32)));
  parameters.set_compression(
      static_cast<pb::Compression>(arguments.choice("compression", {"off", "zstd"}, 0)));
  parameters.set_verify(
      static_cast<pb::VerifyMode>(arguments.choice("verify", {"background", "before-resume"}, 0)));
  return parameters;
}

}  // namespace

void Api::create_vm(const CallPtr& call) {
  Arguments arguments = Arguments::of_body(call->request.body);
  pb::Request request;
  pb::Request::CreateVm& create = *request.mutable_create_vm();
  create.set_name(arguments.required_text("name"));
  *create.mutable_config() = config_of(arguments);
  const std::string owner = arguments.text("owner");
  create.set_start(arguments.flag("start", false));
  if (!accepts(call, arguments)) return;
  if (!owner.empty()) {
    const pb::Node* const node = node_.state().node_named(owner);
    if (node == nullptr) return refuse(call, no_such_node(owner));
    create.set_owner(node->id());
  }
  ask_for_task(call, std::move(request));
}

void Api::delete_vm(const CallPtr& call) {
  Arguments none = Arguments::of_body(call->request.body);
  if (!accepts(call, none)) return;
  pb::Request request;
  request.mutable_delete_vm()->set_vm(call->names[0]);
  ask_for_task(call, std::move(request));
}

void Api::vm_method(const CallPtr& call) {
  const auto method = vm_method_of_verb(call->names[1]);
  if (!method) {
    return refuse(call, {Code::kNotFound, "A VM has no method of that name.",
                         "Use start, save, pause, resume, reset, turn-off or migrate."});
  }
  Arguments none = Arguments::of_body(call->request.body);
  if (!accepts(call, none)) return;
  pb::Request request;
  request.mutable_vm_method()->set_vm(call->names[0]);
  request.mutable_vm_method()->set_method(static_cast<std::uint32_t>(*method));
  ask_for_task(call, std::move(request));
}

// Nothing if the arguments are wrong: the call is answered then.
std::optional<pb::Request> Api::migration_asked(const CallPtr& call) {
  Arguments arguments = Arguments::of_body(call->request.body);
  pb::Request request;
  pb::Request::Migrate& migrate = *request.mutable_migrate();
  migrate.set_vm(call->names[0]);
  migrate.set_target_name(arguments.required_text("to"));
  *migrate.mutable_parameters() = parameters_of(arguments);
  if (!accepts(call, arguments)) return std::nullopt;
  // An unknown name stays 0 and is refused where all targets are judged.
  const pb::Node* const target = node_.state().node_named(migrate.target_name());
  if (target != nullptr) migrate.set_target(target->id());
  return request;
}

void Api::migrate(const CallPtr& call) {
  std::optional<pb::Request> request = migration_asked(call);
  if (request) ask_for_task(call, std::move(*request));
}

// A read, although it takes what the write takes.
void Api::check_migration(const CallPtr& call) {
  const std::optional<pb::Request> request = migration_asked(call);
  if (!request) return;
  after_read(call, [this, call, request] {
    const pb::Request::Migrate& asked = request->migrate();
    const pb::Vm* const vm = node_.state().vm(asked.vm());
    if (vm == nullptr) return refuse(call, failsim::no_such_vm(asked.vm()));
    answer(call, render::migration_check(node_.state(), *vm, asked));
  });
}

// A read, although it takes what the write takes.
void Api::forecast_migration(const CallPtr& call) {
  const std::optional<pb::Request> request = migration_asked(call);
  if (!request) return;
  after_read(call, [this, call, request] {
    const auto tell = [this, call, request](const std::optional<pb::PeerMessage::LiveReply>& live) {
      const pb::Request::Migrate& asked = request->migrate();
      const auto plan = plan_migration(node_.state(), asked, watched(asked.vm(), live));
      if (!plan) return refuse(call, plan.error());
      answer(call, render::forecast(node_.state(), asked, plan.value()));
    };
    node_.live(request->migrate().vm(), request->migrate().target(), tell);
  });
}

// What its owner has seen of the guest and the link.
Watched Api::watched(const std::string& vm,
                     const std::optional<pb::PeerMessage::LiveReply>& live) const {
  const pb::Vm* const row = node_.state().vm(vm);
  if (row == nullptr || !live) return {};
  return {habit_told(*live, row->config().memory_bytes()), live->link_bytes_per_second()};
}

void Api::cancel_migration(const CallPtr& call) {
  Arguments none = Arguments::of_body(call->request.body);
  if (!accepts(call, none)) return;
  pb::Request request;
  request.mutable_cancel_migration()->set_vm(call->names[0]);
  ask_for_task(call, std::move(request));
}

void Api::cancel_task(const CallPtr& call) {
  Arguments none = Arguments::of_body(call->request.body);
  if (!accepts(call, none)) return;
  const auto id = parse_number(call->names[0], std::numeric_limits<std::uint64_t>::max());
  if (!id) return refuse(call, no_such_task(call->names[0]));
  pb::Request request;
  request.mutable_cancel_task()->set_task(*id);
  ask_for_task(call, std::move(request));
}

void Api::report_evidence(const CallPtr& call) {
  Arguments arguments = Arguments::of_body(call->request.body);
  const std::string name = arguments.required_text("node");
  if (!arguments.has("instance")) arguments.refuse("The argument 'instance' is missing.");
  const auto instance = static_cast<std::uint32_t>(arguments.number("instance", 0, kMost32));
  if (!accepts(call, arguments)) return;
  const pb::Node* const node = node_.state().node_named(name);
  if (node == nullptr) return refuse(call, no_such_node(name));
  node_.process_died(node->id(), instance);
  answer(call, json::object());
}

}  // namespace failsim::node
