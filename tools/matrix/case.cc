#include "tools/matrix/case.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "cluster/fault/order.h"
#include "cluster/migration/job.h"
#include "cluster/proto/command.pb.h"
#include "tools/report/answer.h"
#include "tools/sim/injector.h"
#include "tools/sim/recovery.h"
#include "tools/sim/workload.h"
#include "tools/sim/world.h"

namespace failsim::matrix {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
constexpr char kVm[] = "web";

constexpr Duration kReadyLimit = 20 * kSecond;
constexpr Duration kMomentLimit = 20 * kSecond;  // longer than an undisturbed migration
constexpr Duration kRestLimit = 60 * kSecond;    // after everything is healed
constexpr Duration kSuspended = 3 * kSecond;
constexpr Duration kWritesLast = 4 * kSecond;
constexpr Duration kLook = 100 * kMillisecond;

sim::WorldConfig world_of(history::Sink* sink) {
  sim::WorldConfig config;
  config.seed = 11;
  config.sink = sink;
  config.host.quantum = 100 * kMillisecond;
  config.host.prepare_bytes_per_second = 16 * kMebibyte;  // Setup lasts a quarter of a second
  return config;
}

// Busy enough for three rounds and a blackout that takes its time.
pb::VmConfig vm_config(Course course) {
  pb::VmConfig config;
  config.set_memory_bytes(4 * kMebibyte);
  config.set_working_set_bytes(2 * kMebibyte);
  config.set_dirty_bytes_per_second(course == Course::kPostCopies ? 8 * kMebibyte : kMebibyte);
  return config;
}

pb::MigrationParameters parameters(Course course) {
  pb::MigrationParameters parameters;
  if (course == Course::kPostCopies) {
    parameters.set_on_no_convergence(pb::NO_CONVERGENCE_POST_COPY);
  }
  parameters.set_bandwidth_bytes_per_second(4 * kMebibyte);
  parameters.set_downtime_limit_ns(60 * kMillisecond);
  parameters.set_max_rounds(10);
  return parameters;
}

RequestedState requested(Ask what) {
  switch (what) {
    case Ask::kTerminate:
      return RequestedState::kTerminate;
    case Ask::kKill:
      return RequestedState::kKill;
    case Ask::kSuspend:
      return RequestedState::kSuspend;
    default:
      return RequestedState::kStart;
  }
}

// A world with one VM that is about to be migrated.
class Stage {
 public:
  Stage(Course course, Placement placement, history::Sink* sink)
      : course_(course),
        world_(world_of(sink)),
        injector_(world_, 5),
        writer_(world_, 7, ObjectKind::kCluster, "") {
    set_up(placement);
  }

  sim::World& world() { return world_; }
  sim::Injector& injector() { return injector_; }
  sim::Writer& writer() { return writer_; }
  const Sides& sides() const { return sides_; }
  const Before& before() const { return before_; }
  bool is_ready() const { return is_ready_; }
  const ClusterState& state() const { return world_.furthest()->state(); }
  const pb::Task* job() const { return state().last_migration(kVm); }

  void migrate() {
    pb::Request request = new_request();
    request.mutable_migrate()->set_vm(kVm);
    request.mutable_migrate()->set_target(sides_.target);
    request.mutable_migrate()->set_target_name(node_name(sides_.target));
    *request.mutable_migrate()->mutable_parameters() = parameters(course_);
    world_.ask(sides_.leader, request, [](const pb::Reply&) {});
  }

  // Of `first`, or of whoever answers; outside of the step that passes a point.
  void ask(Ask what, NodeId first,
           std::function<void(const pb::Request&, const pb::Reply&)> answered) {
    world_.queue().after(0, [this, what, first, answered] {
      pb::Request request = new_request();
      if (what == Ask::kCancel) {
        request.mutable_cancel_migration()->set_vm(kVm);
      } else {
        const pb::Task* task = world_.furthest() == nullptr ? nullptr : job();
        request.mutable_request_state_change()->set_job(task == nullptr ? 1 : task->id());
        request.mutable_request_state_change()->set_requested_state(
            static_cast<std::uint32_t>(requested(what)));
      }
      const auto reply = [request, answered](const pb::Reply& said) { answered(request, said); };
      for (const NodeId node : {first, sides_.source, sides_.target, sides_.third}) {
        if (!world_.is_running(node) || world_.is_stopped(node)) continue;
        if (world_.ask(node, request, reply)) return;
      }
    });
  }

 private:
  pb::Request new_request() {
    pb::Request request;
    request.set_client("matrix");
    request.set_sequence(++requests_);
    return request;
  }

  void set_up(Placement placement);

  const Course course_;
  sim::World world_;
  sim::Injector injector_;
  sim::Writer writer_;
  Sides sides_;
  Before before_;
  bool is_ready_ = false;
  std::uint64_t requests_ = 0;
};

void Stage::set_up(Placement placement) {
  world_.start_all();
  const auto all_up = [this] {
    if (world_.leader(sim::World::Leads::kReady) == kNoNode) return false;
    const auto& nodes = state().nodes();
    return std::all_of(nodes.begin(), nodes.end(),
                       [](const auto& node) { return node.second->state() == pb::NODE_UP; });
  };
  if (!world_.run_until(all_up, kReadyLimit)) return;
  sides_.leader = world_.leader(sim::World::Leads::kReady);
  std::vector<NodeId> others;
  for (const NodeId node : world_.nodes()) {
    if (node != sides_.leader) others.push_back(node);
  }
  sides_.source = placement == Placement::kSource ? sides_.leader : others[0];
  sides_.target = placement == Placement::kTarget ? sides_.leader : others[1];
  for (const NodeId node : world_.nodes()) {
    if (node != sides_.source && node != sides_.target) sides_.third = node;
  }
  pb::Request request = new_request();
  request.mutable_create_vm()->set_name(kVm);
  request.mutable_create_vm()->set_owner(sides_.source);
  request.mutable_create_vm()->set_start(true);
  *request.mutable_create_vm()->mutable_config() = vm_config(course_);
  world_.ask(sides_.leader, request, [](const pb::Reply&) {});
  is_ready_ = world_.run_until(
      [this] {
        const sim::Process* owner = world_.process(sides_.source);
        const pb::Vm* vm = state().vm(kVm);
        return vm != nullptr && !vm->has_operation() && owner->host().is_executing(kVm);
      },
      kReadyLimit);
  if (!is_ready_) return;
  world_.run_for(300 * kMillisecond);
  before_ = {kVm, sides_.source, state().vm(kVm)->boot_id()};
}

// Takes the course that the case wants, by faults of its own.
void take_course(Stage& stage, Course course) {
  const auto inject = [&stage](const std::string& line) {
    const auto order = fault::parse_order(order_for(line, stage.sides()));
    if (order.ok()) stage.injector().inject(order.value());
  };
  if (course == Course::kIsCanceled) inject("failpoint round.1.end terms=1*cancel for=60s");
  if (course != Course::kFails) return;
  stage.world().failpoints().arm(
      *fault::find_point("blackout.begin"), {fault::Term{}},
      [inject](const fault::Term&, fault::PointId, NodeId, const std::string&, sim::Passing&) {
        inject("link-reset SOURCE->TARGET class=data");
      });
}

// Runs a case from the moment on.
class Run {
 public:
  Run(const Case& one, history::Sink* sink) : case_(one), stage_(one.course, one.placement, sink) {}

  CaseResult run() {
    result_.sides = stage_.sides();
    if (!stage_.is_ready()) return result_;
    take_course(stage_, case_.course);
    if (!case_.disturbance->term.empty()) {
      arm_term();
    } else {
      arm();
    }
    stage_.writer().begin();
    stage_.migrate();
    sim::World& world = stage_.world();
    world.run_until([this] { return result_.was_struck; }, kMomentLimit);
    wait_for_the_faults();
    stage_.injector().heal_all();
    stage_.writer().stop();
    recover();
    conclude();
    return result_;
  }

 private:
  void arm() {
    passings_ = 0;
    stage_.world().failpoints().arm(
        case_.moment.point, {fault::Term{}},
        [this](const fault::Term&, fault::PointId, NodeId, const std::string&, sim::Passing&) {
          if (++passings_ != case_.moment.nth) return;
          if (case_.moment.later == 0) return strike();
          stage_.world().queue().after(case_.moment.later, [this] { strike(); });
        });
  }

  void arm_term() {
    const std::string line = "failpoint " + fault::point_names()[case_.moment.point] +
                             " terms=" + case_.disturbance->term + " for=30s";
    result_.was_struck = inject(line);
  }

  void strike() {
    result_.was_struck = true;
    if (case_.disturbance->ask != Ask::kNothing) {
      // Without anybody to order it, of who can do something about it.
      const Sides& sides = stage_.sides();
      const bool is_led = case_.disturbance->loss != Loss::kControl;
      stage_.ask(case_.disturbance->ask, is_led ? sides.leader : sides.source,
                 [this](const pb::Request& request, const pb::Reply& reply) {
                   result_.answer = answer_of(request, reply);
                   if (history::is_accepted_cancel(request, reply)) {
                     stage_.world().checker().cancel_accepted(reply.task());
                   }
                 });
    }
    if (case_.disturbance->ask == Ask::kSuspend) {
      stage_.world().queue().after(kSuspended, [this] {
        stage_.ask(Ask::kStart, stage_.sides().leader, [](const pb::Request&, const pb::Reply&) {});
      });
    }
    for (const std::string& order : case_.disturbance->orders) inject(order);
  }

  static std::uint32_t answer_of(const pb::Request& request, const pb::Reply& reply) {
    return request.has_request_state_change() && reply.code() == 0 ? reply.return_value()
                                                                   : reply.code();
  }

  bool inject(const std::string& line) {
    const auto order = fault::parse_order(order_for(line, stage_.sides()));
    if (!order.ok()) {
      result_.detail += order.error().message;
      return false;
    }
    const auto id = stage_.injector().inject(order.value());
    if (!id.ok()) result_.detail += id.error().message;
    return id.ok();
  }

  // What is over by itself ends by itself.
  void wait_for_the_faults() {
    const bool is_term = !case_.disturbance->term.empty();
    const Duration longest = is_term ? 4 * kSecond : 70 * kSecond;
    sim::World& world = stage_.world();
    const Time end = world.now() + longest;
    world.queue().after(kWritesLast, [this] { stage_.writer().stop(); });
    while (world.now() < end && (is_term || !stage_.injector().list().empty())) {
      result_.waited = is_in_flight();
      world.run_for(kLook);
    }
  }

  bool is_in_flight() {
    const Member* furthest = stage_.world().furthest();
    if (furthest == nullptr) return false;
    const pb::Task* job = furthest->state().last_migration(kVm);
    return job != nullptr && !job->complete();
  }

  void recover() {
    sim::World& world = stage_.world();
    sim::Recovery recovery(world);
    recovery.begin();
    world.run_until([&recovery] { return recovery.is_over(); }, kRestLimit);
    recovery.check();
    if (const Member* leader = recovery.leader()) stage_.writer().check(leader->state());
    is_at_rest_ = recovery.is_over();
    // It watches from the queue of the world, which does not run any more.
  }

  void conclude() {
    result_.violations = stage_.world().checker().violations();
    result_.trace_hash = stage_.world().trace().hash();
    if (!is_at_rest_) return;
    const ClusterState& state = stage_.state();
    result_.end = end_of(state, stage_.before());
    result_.owner = state.vm(kVm)->owner();
    if (const pb::Task* job = stage_.job()) result_.detail += job->error_message();
  }

  const Case case_;
  Stage stage_;
  CaseResult result_;
  std::uint32_t passings_ = 0;
  bool is_at_rest_ = false;
};

}  // namespace

std::string_view name(Placement placement) {
  constexpr std::array<std::string_view, kPlacements> kNames = {"leader apart", "leader is source",
                                                                "leader is target"};
  return kNames[static_cast<std::size_t>(placement)];
}

std::string_view name(Course course) {
  constexpr std::array<std::string_view, kCourses> kNames = {"completes", "post-copies",
                                                             "is canceled", "fails"};
  return kNames[static_cast<std::size_t>(course)];
}

Phase phase_of(const Case& one) {
  return phase_of(one.moment, one.course == Course::kPostCopies);
}

std::string name(const Case& one) {
  return std::string(name(one.course)) + ", " + std::string(name(one.placement)) + ": " +
         one.disturbance->name + " at " + name(one.moment);
}

CaseResult run_case(const Case& one, history::Sink* sink) {
  return Run(one, sink).run();
}

std::vector<Passed> passed_by(Course course, Placement placement) {
  Stage stage(course, placement, nullptr);
  if (!stage.is_ready()) return {};
  take_course(stage, course);
  std::vector<Passed> passed;
  std::map<fault::PointId, std::uint32_t> times;
  for (fault::PointId point = 0; point < fault::point_names().size(); ++point) {
    stage.world().failpoints().arm(
        point, {fault::Term{}},
        [&](const fault::Term&, fault::PointId at, NodeId, const std::string&, sim::Passing&) {
          passed.push_back({Moment{at, ++times[at], 0}, stage.world().now()});
        });
  }
  stage.writer().begin();
  stage.migrate();
  stage.world().run_for(kMomentLimit);
  return passed;
}

}  // namespace failsim::matrix
