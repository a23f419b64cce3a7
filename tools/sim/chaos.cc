#include "tools/sim/chaos.h"

#include <memory>
#include <utility>

#include "cluster/vm/vm_state.h"
#include "tools/sim/fault_plan.h"
#include "tools/sim/injector.h"
#include "tools/sim/recovery.h"
#include "tools/sim/workload.h"
#include "tools/sim/world.h"

namespace failsim::sim {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
constexpr std::uint32_t kVms = 4;

// The streams of a run: one for each purpose, so that a change of one leaves the others alone.
struct Streams {
  explicit Streams(std::uint64_t seed) : random(seed ^ 0x6368616f73u) {}
  std::uint64_t next() { return random.next(); }
  Random random;
};

WorldConfig draw_world(const ChaosConfig& chaos, std::uint64_t stream) {
  Random random(stream);
  WorldConfig config;
  config.seed = chaos.seed;
  config.nodes = chaos.nodes;
  config.node_memory_bytes = (1 + random.below(4)) * 512 * kMebibyte + 8 * kMebibyte;
  config.trace_lines = chaos.trace_lines;
  config.sink = chaos.sink;
  config.mistakes = chaos.mistakes;
  config.link.delay_max = kMillisecond + static_cast<Duration>(random.below(29)) * kMillisecond;
  config.link.loss_per_mille = static_cast<std::uint32_t>(random.below(30));
  config.link.duplicate_per_mille = static_cast<std::uint32_t>(random.below(20));
  config.disk.sync_max = kMillisecond + static_cast<Duration>(random.below(20)) * kMillisecond;
  config.host.quantum = 100 * kMillisecond;
  config.host.link_bytes_per_second = (128 + random.below(512)) * kMebibyte;
  constexpr Index kCompactions[] = {25, 60, 200, 10'000};
  config.compact_every = kCompactions[random.below(4)];
  constexpr std::uint32_t kThresholds[] = {3, 3, 4, 6};
  config.properties = {
      {"SameSubnetDelay", 250},
      {"SameSubnetThreshold", kThresholds[random.below(4)]},
      {"MaximumParallelMigrations", static_cast<std::uint32_t>(1 + random.below(3))}};
  config.encode_messages = random.below(8) == 0;
  return config;
}

void count_history(World& world, ChaosResult& result) {
  for (const pb::EventRecord& event : world.checker().events()) {
    ++result.happened["event " + event.kind()];
    if (event.kind() != "migration-state") continue;
    for (const pb::EventRecord::Field& field : event.fields()) {
      if (field.name() == "to") ++result.happened["migration " + field.named().name()];
    }
  }
}

}  // namespace

ChaosResult run_chaos(const ChaosConfig& config) {
  Streams streams(config.seed);
  World world(draw_world(config, streams.next()));
  Injector injector(world, streams.next());
  FaultPlan faults(world, injector, kVms, streams.next());
  Administrator first(world, streams.next(), kVms, "administrator-1");
  Administrator second(world, streams.next(), kVms, "administrator-2");
  Writer of_node(world, streams.next(), ObjectKind::kNode, "node-1");
  Writer of_cluster(world, streams.next(), ObjectKind::kCluster, "");

  world.start_all();
  world.run_until(2 * kSecond);
  first.begin();
  second.begin();
  of_node.begin();
  of_cluster.begin();
  faults.begin();

  world.run_until(config.duration * 2 / 3);
  faults.heal();
  first.stop();
  second.stop();
  of_node.stop();
  of_cluster.stop();
  Recovery recovery(world);
  recovery.begin();
  world.run_until(config.duration);
  recovery.check();
  for (const Client* client :
       {&first.client(), &second.client(), &of_node.client(), &of_cluster.client()}) {
    world.checker().expect(
        "L4", !client->is_busy(),
        client->is_busy() ? "not answered although all is healed: " + client->waits_for() : "");
  }
  if (const Member* leader = recovery.leader()) {
    of_node.check(leader->state());
    of_cluster.check(leader->state());
  }

  ChaosResult result;
  result.trace_hash = world.trace().hash();
  result.violations = world.checker().violations();
  result.evaluations = world.checker().findings().evaluations();
  for (const auto& [fault, count] : injector.injected()) result.happened["fault " + fault] = count;
  for (const auto& [point, count] : injector.hits()) result.happened["point " + point] = count;
  for (const auto& [name, count] : faults.begun()) result.happened["sequence " + name] = count;
  result.happened["faults refused"] = faults.refused();
  result.happened["corrupted messages"] = world.network().corrupted();
  result.happened["assumptions broken"] = world.checker().broken_assumptions().size();
  result.happened["acknowledged writes"] = of_node.acknowledged() + of_cluster.acknowledged();
  count_history(world, result);
  return result;
}

}  // namespace failsim::sim
