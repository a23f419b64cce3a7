#include "tools/sim/workload.h"

#include <utility>

#include "cluster/migration/migration_state.h"
#include "cluster/vm/lifecycle.h"
#include "tools/report/answer.h"

namespace failsim::sim {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

Duration draw_duration(Random& random, Duration from, Duration to) {
  return from + static_cast<Duration>(random.below(static_cast<std::uint64_t>(to - from)));
}

}  // namespace

// ---- Writer -------------------------------------------------------------------------------------

Writer::Writer(World& world, std::uint64_t seed, ObjectKind kind, std::string object)
    : world_(world),
      random_(seed),
      kind_(kind),
      object_(std::move(object)),
      register_("Description of " + std::string(name(kind)) + " " + object_),
      client_(world, "writer-" + std::string(name(kind)) + object_, random_.next()) {}

void Writer::act() {
  if (is_stopping_) return;
  if (random_.below(4) == 0) {
    client_.read([this](const ClusterState& state) { check_and_go_on(state); });
  } else {
    write();
  }
}

void Writer::write() {
  const std::string value = "value " + std::to_string(++written_);
  pb::Request request;
  pb::Request::SetProperty& set = *request.mutable_set_property();
  set.set_kind(std::string(name(kind_)));
  set.set_object(object_);
  set.set_name("Description");
  set.set_value(encode_value(Value::sz(value)).take());
  world_.checker().tell(history::WriteBegan{register_, value});
  client_.ask(std::move(request), [this, value](const pb::Reply& reply) {
    if (reply.code() == 0) {
      ++acknowledged_;
      world_.checker().tell(history::WriteAcknowledged{register_, value});
    } else {
      world_.checker().tell(history::WriteRefused{register_, value});
    }
    next();
  });
}

void Writer::check(const ClusterState& state) {
  world_.checker().tell(
      history::ReadSaw{register_, to_text(state.property(kind_, object_, "Description"))});
}

void Writer::check_and_go_on(const ClusterState& state) {
  check(state);
  next();
}

void Writer::next() {
  world_.queue().after(draw_duration(random_, 20 * kMillisecond, 600 * kMillisecond),
                       [this] { act(); });
}

// ---- Administrator ------------------------------------------------------------------------------

Administrator::Administrator(World& world, std::uint64_t seed, std::uint32_t vms,
                             const std::string& name)
    : world_(world), random_(seed), vms_(vms), client_(world, name, random_.next()) {}

void Administrator::act() {
  if (is_stopping_) return;
  const pb::Request request = draw();
  client_.ask(request, [this](const pb::Reply& reply) {
    if (reply.task() != 0) last_task_ = reply.task();
    next();
  });
}

void Administrator::next() {
  world_.queue().after(draw_duration(random_, 20 * kMillisecond, 1500 * kMillisecond),
                       [this] { act(); });
}

// The last VM is large and only modelled.
std::string Administrator::modelled_vm() const {
  return "vm-" + std::to_string(vms_);
}

pb::Request Administrator::draw() {
  const std::string vm = "vm-" + std::to_string(1 + random_.below(vms_));
  const std::uint64_t dice = random_.below(100);
  pb::Request request;
  if (dice < 20) return create(vm);
  if (dice < 55) return migrate(vm);
  if (dice < 67) {
    request.mutable_cancel_migration()->set_vm(vm);
  } else if (dice < 88) {
    request.mutable_vm_method()->set_vm(vm);
    const bool starts = random_.below(3) == 0;
    request.mutable_vm_method()->set_method(
        starts ? static_cast<std::uint32_t>(VmMethod::kStartUp)
               : static_cast<std::uint32_t>(random_.below(kVmMethodCount)));
  } else if (dice < 91) {
    request.mutable_delete_vm()->set_vm(vm);
  } else if (dice < 94) {
    constexpr std::uint32_t kWritten[] = {0, 4, 5, 6};
    pb::Request::SetProperty& set = *request.mutable_set_property();
    set.set_kind("vm");
    set.set_object(vm);
    set.set_name("MigrationState");
    set.set_value(encode_value(Value::dword(kWritten[random_.below(4)])).take());
  } else if (dice < 97) {
    request.mutable_request_state_change()->set_job(last_task_);
    // One that was suspended and is forgotten holds its slots for good, so most of them go on.
    constexpr std::uint32_t kAsked[] = {2, 2, 2, 3, 3, 4, 5, 6};
    request.mutable_request_state_change()->set_requested_state(kAsked[random_.below(8)]);
  } else {
    request.mutable_cancel_task()->set_task(last_task_);
  }
  return request;
}

pb::VmConfig Administrator::draw_config(const std::string& vm) {
  pb::VmConfig config;
  config.set_modelled(vm == modelled_vm());
  config.set_memory_bytes(config.modelled() ? (1 + random_.below(5)) * 128 * kMebibyte
                                            : (1 + random_.below(3)) * kMebibyte / 2);
  config.set_working_set_bytes(config.memory_bytes() / (1 + random_.below(4)));
  // Sometimes the whole working set several times in a second: the rounds stay long.
  const std::uint64_t eighths =
      random_.below(3) == 0 ? 8 * (1 + random_.below(8)) : random_.below(9);
  config.set_dirty_bytes_per_second(config.working_set_bytes() / 8 * eighths);
  config.set_pattern(static_cast<pb::DirtyPattern>(random_.below(3)));
  config.set_fill(static_cast<pb::PageFill>(random_.below(2)));
  return config;
}

pb::Request Administrator::create(const std::string& vm) {
  pb::Request request;
  pb::Request::CreateVm& asked = *request.mutable_create_vm();
  asked.set_name(vm);
  *asked.mutable_config() = draw_config(vm);
  if (random_.below(2) == 0) {
    asked.set_owner(world_.nodes()[random_.below(world_.nodes().size())]);
  }
  asked.set_start(random_.below(5) > 0);
  return request;
}

// So slow that most guests do not converge, and that their pages follow for a while.
void Administrator::draw_post_copy(const std::string& vm, pb::MigrationParameters& parameters) {
  parameters.set_on_no_convergence(pb::NO_CONVERGENCE_POST_COPY);
  parameters.set_downtime_limit_ns(20 * kMillisecond);
  parameters.set_max_rounds(static_cast<std::uint32_t>(1 + random_.below(4)));
  if (vm != modelled_vm()) {
    parameters.set_bandwidth_bytes_per_second((1 + random_.below(8)) * kMebibyte / 4);
  }
}

pb::Request Administrator::migrate(const std::string& vm) {
  pb::Request request;
  pb::Request::Migrate& asked = *request.mutable_migrate();
  const NodeId target = world_.nodes()[random_.below(world_.nodes().size())];
  asked.set_vm(vm);
  asked.set_target(target);
  asked.set_target_name(node_name(target));
  pb::MigrationParameters& parameters = *asked.mutable_parameters();
  // Slow enough to be interrupted, fast enough to end within the time given to recover.
  if (vm != modelled_vm() && random_.below(2) == 0) {
    parameters.set_bandwidth_bytes_per_second((4 + random_.below(60)) * kMebibyte / 2);
  }
  parameters.set_downtime_limit_ns(draw_duration(random_, 20 * kMillisecond, 500 * kMillisecond));
  const std::uint64_t rounds = vm == modelled_vm() ? 2 : 20;
  parameters.set_max_rounds(static_cast<std::uint32_t>(1 + random_.below(rounds)));
  if (random_.below(8) == 0)
    parameters.set_timeout_ns(draw_duration(random_, kSecond, 20 * kSecond));
  parameters.set_verify(random_.below(2) == 0 ? pb::VERIFY_BACKGROUND : pb::VERIFY_BEFORE_RESUME);
  if (random_.below(4) == 0) draw_post_copy(vm, parameters);
  return request;
}

}  // namespace failsim::sim
