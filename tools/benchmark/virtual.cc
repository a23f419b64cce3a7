// How much faster than the wall clock a virtual world runs, with its checkers on.
#include <chrono>

#include "tools/benchmark/bench.h"
#include "tools/benchmark/process_figures.h"
#include "tools/benchmark/statistics.h"
#include "tools/sim/chaos.h"
#include "tools/sim/world.h"

namespace failsim::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kRuns = 3;
constexpr std::uint64_t kVmBytes = std::uint64_t{256} << 20;
constexpr Duration kSettlingTime = 10 * kSecond;

struct Case {
  std::string name;
  std::uint32_t nodes;
  Duration duration;
  std::vector<double> rates;  // virtual seconds per wall second
  std::vector<double> cpu;    // CPU seconds per virtual second
};

void create_vm(sim::World& world, NodeId owner) {
  pb::Request request;
  request.set_client("bench");
  request.set_sequence(owner);
  pb::Request::CreateVm& create = *request.mutable_create_vm();
  create.set_name("vm-" + std::to_string(owner));
  create.mutable_config()->set_memory_bytes(kVmBytes);
  create.mutable_config()->set_modelled(true);
  create.set_owner(owner);
  create.set_start(true);
  world.ask(owner, request, [](const pb::Reply&) {});
}

template <typename Run>
void measure(Case& measured, Run run) {
  const double cpu_before = own_cpu_seconds();
  const auto begin = Clock::now();
  run();
  const double wall = std::chrono::duration<double>(Clock::now() - begin).count();
  const double virtual_seconds =
      static_cast<double>(measured.duration) / static_cast<double>(kSecond);
  measured.rates.push_back(virtual_seconds / wall);
  measured.cpu.push_back((own_cpu_seconds() - cpu_before) / virtual_seconds);
}

// A quiet cluster: heartbeats, leases, and a guest on every node that counts and writes.
void run_quiet(Case& measured, std::uint64_t seed, Report& report) {
  sim::WorldConfig config;
  config.seed = seed;
  config.nodes = measured.nodes;
  sim::World world(config);
  world.start_all();
  world.run_for(kSettlingTime);
  for (const NodeId node : world.nodes()) create_vm(world, node);
  world.run_for(kSettlingTime);
  std::size_t guests = 0;
  for (const NodeId node : world.nodes()) {
    if (world.process(node)->host().is_executing("vm-" + std::to_string(node))) ++guests;
  }
  report.expect(guests == measured.nodes,
                measured.name + ": every node runs its guest (" + std::to_string(guests) + " do)");
  measure(measured, [&] { world.run_for(measured.duration); });
  report.expect(world.checker().violations().empty(), measured.name + ": nothing is violated");
}

void run_chaos(Case& measured, std::uint64_t seed, Report& report) {
  sim::ChaosConfig config;
  config.seed = seed;
  config.nodes = measured.nodes;
  config.duration = measured.duration;
  sim::ChaosResult result;
  measure(measured, [&] { result = sim::run_chaos(config); });
  report.expect(result.violations.empty(),
                measured.name + ": nothing is violated by seed " + std::to_string(seed));
}

void report_case(const Case& measured, Report& report) {
  report.add(measured.name, "speed", median(measured.rates), "virtual s/s");
  report.add(measured.name, "cpu", median(measured.cpu), "s/virtual s");
}

}  // namespace

void bench_virtual(const Options& options, Report& report) {
  Case three{"3 nodes", 3, 60 * kSecond, {}, {}};
  Case many{"64 nodes", 64, 10 * kSecond, {}, {}};
  Case chaos{"3 nodes, chaos", 3, 60 * kSecond, {}, {}};
  for (std::uint64_t run = 0; run < options.count.value_or(kRuns); ++run) {
    run_quiet(three, options.seed + run, report);
    run_quiet(many, options.seed + run, report);
    run_chaos(chaos, options.seed + run, report);
  }
  for (const Case* measured : {&three, &many, &chaos}) report_case(*measured, report);
}

}  // namespace failsim::bench
