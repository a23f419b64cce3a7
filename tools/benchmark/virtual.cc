// How fast a virtual world runs, with its checkers on: clusters of 3, 16 and 64 nodes with no, some
// and very many modelled VMs, at rest, while VMs migrate, and under chaos.
//
// Each case is measured in a process of its own, so that its memory is its own, too.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "tools/benchmark/bench.h"
#include "tools/benchmark/process_figures.h"
#include "tools/benchmark/statistics.h"
#include "tools/sim/chaos.h"
#include "tools/sim/world.h"

namespace failsim::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kRuns = 3;
constexpr std::uint64_t kVmBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kNodeBytes = std::uint64_t{1} << 40;  // room for every VM
constexpr Duration kSettlingTime = 10 * kSecond;
constexpr Duration kPatience = 300 * kSecond;
constexpr Duration kSlice = 1 * kSecond;
constexpr Duration kLongest = 60 * kSecond;  // measured, of virtual time
constexpr double kLongestWall = 5;           // seconds
constexpr std::uint32_t kAsked = 64;         // requests under way at a time
// The shared volume takes about a thousand writes a second: very many guests count once a second.
constexpr std::uint32_t kMany = 1'000;  // VMs
constexpr Duration kQuantumOfMany = 1 * kSecond;

// Figures of one run, handed from its process to the bench's.
struct Figures {
  double virtual_seconds = 0;
  double wall_seconds = 0;
  double cpu_seconds = 0;
  double events = 0;
  double resident_bytes = 0;
  double done = 0;  // migrations
  bool is_sound = false;
};

enum class Load { kIdle, kMigrations, kChaos };

struct Case {
  std::uint32_t nodes = 3;
  std::uint32_t vms = 0;
  Load load = Load::kIdle;
};

std::string name_of(const Case& one) {
  const std::string nodes = std::to_string(one.nodes) + " nodes, ";
  if (one.load == Load::kChaos) return nodes + "chaos";
  return nodes + std::to_string(one.vms) + " VMs" +
         (one.load == Load::kMigrations ? ", migrating" : "");
}

std::string vm_name(std::uint32_t number) {
  return "vm-" + std::to_string(number);
}

// Asks for one thing after another of each of so many, never for more than kAsked at a time.
class Requests {
 public:
  using Make = std::function<pb::Request(std::uint32_t number)>;
  Requests(sim::World& world, Make make) : world_(world), make_(std::move(make)) {}

  // The numbers from 1 to `count`; true once all were accepted.
  bool run(std::uint32_t count) {
    count_ = count;
    for (std::uint32_t i = 0; i < kAsked; ++i) ask_next();
    return world_.run_until([this] { return accepted_ == count_; }, kPatience);
  }

 private:
  void ask_next() {
    if (asked_ == count_) return;
    ask(++asked_);
  }
  void ask(std::uint32_t number) {
    pb::Request request = make_(number);
    request.set_client("bench-" + std::to_string(number));
    request.set_sequence(++sequence_);
    world_.ask(world_.nodes()[number % world_.nodes().size()], request,
               [this, number](const pb::Reply& reply) {
                 if (reply.code() != 0) return ask(number);
                 ++accepted_;
                 ask_next();
               });
  }

  sim::World& world_;
  const Make make_;
  std::uint32_t count_ = 0;
  std::uint32_t asked_ = 0;
  std::uint32_t accepted_ = 0;
  std::uint64_t sequence_ = 0;
};

pb::Request creation(std::uint32_t number, NodeId owner) {
  pb::Request request;
  pb::Request::CreateVm& create = *request.mutable_create_vm();
  create.set_name(vm_name(number));
  create.mutable_config()->set_memory_bytes(kVmBytes);
  create.mutable_config()->set_modelled(true);
  create.set_owner(owner);
  create.set_start(true);
  return request;
}

// Migrates one VM after another to the next node, so many at a time, for as long as the world runs.
class Movers {
 public:
  Movers(sim::World& world, const Case& one) : world_(world), vms_(one.vms) {
    for (std::uint32_t mover = 0; mover < std::min(one.vms, one.nodes); ++mover) move();
  }
  std::uint64_t done() const { return done_; }

 private:
  void move() {
    const auto number = static_cast<std::uint32_t>(next_++ % vms_) + 1;
    const NodeId asked = world_.nodes()[number % world_.nodes().size()];
    const pb::Vm* vm = world_.member(asked).state().vm(vm_name(number));
    pb::Request request;
    request.set_client("mover");
    request.set_sequence(++sequence_);
    pb::Request::Migrate& migrate = *request.mutable_migrate();
    migrate.set_vm(vm_name(number));
    migrate.set_target(vm->owner() % static_cast<NodeId>(world_.nodes().size()) + 1);
    world_.ask(asked, request, [this, asked](const pb::Reply& reply) {
      if (reply.code() != 0) return again();
      wait(asked, reply.task());
    });
  }
  void wait(NodeId asked, TaskId job) {
    const pb::Task* task = world_.member(asked).state().task(job);
    if (task != nullptr && !task->complete()) {
      return world_.queue().after(10 * kMillisecond, [this, asked, job] { wait(asked, job); });
    }
    ++done_;
    move();
  }
  void again() {
    world_.queue().after(10 * kMillisecond, [this] { move(); });
  }

  sim::World& world_;
  const std::uint32_t vms_;
  std::uint64_t next_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t done_ = 0;
};

std::uint32_t executing(const sim::World& world, std::uint32_t vms) {
  std::uint32_t guests = 0;
  for (std::uint32_t number = 1; number <= vms; ++number) {
    const pb::Vm* vm = world.member(world.nodes().front()).state().vm(vm_name(number));
    if (vm != nullptr && world.process(vm->owner())->host().is_executing(vm->name())) ++guests;
  }
  return guests;
}

// In slices, until the case has run long enough by one of the clocks.
template <typename RunSlice>
void measure(Figures& figures, RunSlice run_slice) {
  const double cpu_before = own_cpu_seconds();
  const auto begin = Clock::now();
  Duration passed = 0;
  while (passed < kLongest && figures.wall_seconds < kLongestWall) {
    run_slice(kSlice);
    passed += kSlice;
    figures.wall_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  figures.cpu_seconds = own_cpu_seconds() - cpu_before;
  figures.virtual_seconds = static_cast<double>(passed) / static_cast<double>(kSecond);
}

Figures run_cluster(const Case& one, std::uint64_t seed) {
  sim::WorldConfig config;
  config.seed = seed;
  config.nodes = one.nodes;
  config.node_memory_bytes = kNodeBytes;
  config.check_state_every = 10'000;  // as a node does
  if (one.vms >= kMany) config.host.quantum = kQuantumOfMany;
  sim::World world(config);
  world.start_all();
  world.run_for(kSettlingTime);
  Figures figures;
  Requests creations(
      world, [&](std::uint32_t number) { return creation(number, number % one.nodes + 1); });
  if (!creations.run(one.vms)) return figures;
  world.run_for(kSettlingTime);
  const bool all_execute = executing(world, one.vms) == one.vms;
  const std::uint64_t events_before = world.queue().executed();
  std::optional<Movers> movers;
  if (one.load == Load::kMigrations) movers.emplace(world, one);
  measure(figures, [&](Duration slice) { world.run_for(slice); });
  figures.events = static_cast<double>(world.queue().executed() - events_before);
  figures.done = movers ? static_cast<double>(movers->done()) : 0;
  figures.is_sound = all_execute && world.checker().violations().empty();
  return figures;
}

Figures run_chaos(const Case& one, std::uint64_t seed) {
  sim::ChaosConfig config;
  config.seed = seed;
  config.nodes = one.nodes;
  config.duration = kLongest;
  Figures figures;
  const double cpu_before = own_cpu_seconds();
  const auto begin = Clock::now();
  const sim::ChaosResult result = sim::run_chaos(config);
  figures.wall_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  figures.cpu_seconds = own_cpu_seconds() - cpu_before;
  figures.virtual_seconds = static_cast<double>(kLongest) / static_cast<double>(kSecond);
  figures.is_sound = result.violations.empty();
  return figures;
}

// In a child, whose memory tells what the case takes.
Figures run_apart(const Case& one, std::uint64_t seed) {
  int ends[2] = {};
  if (::pipe(ends) != 0) throw std::runtime_error("A pipe could not be made.");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("A process could not be started.");
  if (child == 0) {
    ::close(ends[0]);
    Figures figures = one.load == Load::kChaos ? run_chaos(one, seed) : run_cluster(one, seed);
    figures.resident_bytes = static_cast<double>(resident_bytes(::getpid()));
    const bool is_told = ::write(ends[1], &figures, sizeof figures) == sizeof figures;
    ::_exit(is_told ? 0 : 1);
  }
  ::close(ends[1]);
  Figures figures;
  const bool is_told = ::read(ends[0], &figures, sizeof figures) == sizeof figures;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!is_told || status != 0) throw std::runtime_error(name_of(one) + " did not come to its end.");
  return figures;
}

void run_case(const Case& one, const Options& options, Report& report) {
  const std::string name = name_of(one);
  std::vector<double> speeds;
  std::vector<double> events;
  std::vector<double> cpu;
  std::vector<double> resident;
  std::vector<double> moved;
  const std::uint32_t runs = one.vms >= kMany ? 1 : options.count.value_or(kRuns);
  for (std::uint32_t run = 0; run < runs; ++run) {
    const Figures figures = run_apart(one, options.seed + run);
    report.expect(figures.is_sound, name + ": all VMs run and nothing is violated, seed " +
                                        std::to_string(options.seed + run));
    if (figures.virtual_seconds <= 0) return;
    speeds.push_back(figures.virtual_seconds / figures.wall_seconds);
    events.push_back(figures.events / figures.cpu_seconds);
    cpu.push_back(figures.cpu_seconds / figures.virtual_seconds);
    resident.push_back(figures.resident_bytes / (1 << 20));
    moved.push_back(figures.done / figures.virtual_seconds);
  }
  report.add(name, "speed", median(speeds), "virtual s/s");
  report.add(name, "speed a CPU", 1 / median(cpu), "virtual s/CPU s");
  report.add(name, "cpu", median(cpu), "CPU s/virtual s");
  if (one.load != Load::kChaos) report.add(name, "events", median(events), "1/CPU s");
  if (one.load == Load::kMigrations) report.add(name, "migrations", median(moved), "1/virtual s");
  if (one.load == Load::kChaos) {
    report.add(name, "runs", 1 / (median(cpu) * kLongest / kSecond), "1/CPU s");
  }
  report.add(name, "memory", median(resident), "MiB");
}

}  // namespace

void bench_virtual(const Options& options, Report& report) {
  constexpr std::uint32_t kNodes[] = {3, 16, 64};
  for (const std::uint32_t nodes : kNodes) {
    for (const std::uint32_t vms : {0u, 100u}) run_case({nodes, vms, Load::kIdle}, options, report);
    run_case({nodes, 100, Load::kMigrations}, options, report);
    run_case({nodes, 0, Load::kChaos}, options, report);
  }
  if (options.is_short) return;
  // Minutes each, most of them until all VMs have started.
  for (const std::uint32_t nodes : kNodes) run_case({nodes, 8'000, Load::kIdle}, options, report);
}

}  // namespace failsim::bench
