#include "tools/scenario/virtual_birth.h"

#include <algorithm>

#include "cluster/mistakes.h"
#include "cluster/property/property_table.h"
#include "tools/scenario/requests.h"

namespace failsim::scenario {
namespace {

constexpr Duration kBirth = 30 * kSecond;  // until all nodes are Up, until a VM runs
constexpr int kElections = 50;             // until the wanted node leads

}  // namespace

sim::WorldConfig world_config(const Scenario& scenario, std::ostream* trace_lines,
                              history::Sink* sink) {
  const Topology& topology = scenario.topology;
  sim::WorldConfig config;
  config.seed = scenario.seed;
  config.nodes = topology.nodes;
  config.node_memory_bytes = topology.node_memory_bytes;
  config.properties.clear();
  std::map<std::string, std::string> settings = topology.settings;
  settings.insert(kSettings.begin(), kSettings.end());
  for (const auto& [name, text] : settings) {
    const PropertySpec* spec = find(ObjectKind::kCluster, name);
    config.properties.emplace_back(name,
                                   static_cast<std::uint32_t>(parse(*spec, text).value().number()));
  }
  config.link.delay_min = topology.link_delay_min;
  config.link.delay_max = topology.link_delay_max;
  config.link.loss_per_mille = topology.link_loss_per_mille;
  config.link.duplicate_per_mille = topology.link_duplicate_per_mille;
  config.disk.sync_min = topology.disk_sync_min;
  config.disk.sync_max = topology.disk_sync_max;
  config.host.quantum = topology.guest_quantum;
  config.host.link_bytes_per_second = topology.link_bytes_per_second;
  config.host.prepare_bytes_per_second = topology.prepare_bytes_per_second;
  config.compact_every = topology.compact_every;
  config.trace_lines = trace_lines;
  config.sink = sink;
#ifdef FAILSIM_PLANTED_MISTAKES
  if (!scenario.plant.empty()) config.mistakes = mistake_named(scenario.plant).value();
#endif
  return config;
}

// Everybody is Up and follows a leader.
std::optional<Stillbirth> VirtualBirth::wait_until_whole() {
  const bool is_whole = wait_(
      [this] {
        if (view_.leader() == kNoNode) return false;
        const auto& nodes = view_.state()->nodes();
        return std::all_of(nodes.begin(), nodes.end(),
                           [](const auto& node) { return node.second->state() == pb::NODE_UP; });
      },
      kBirth);
  if (is_whole) return std::nullopt;
  return Stillbirth{"L1", {}, "The cluster did not come up."};
}

// A leader that is not the wanted one is stopped until another one leads.
std::optional<Stillbirth> VirtualBirth::settle_leader() {
  const NodeId wanted = node_named(scenario_.topology.leader);
  if (wanted == kNoNode) return std::nullopt;
  for (int i = 0; i < kElections && view_.leader() != wanted; ++i) {
    const NodeId leading = view_.leader();
    world_.stop(leading);
    wait_([&] { return view_.leader() != kNoNode && view_.leader() != leading; }, kBirth);
    world_.cont(leading);
    // Until then its silence may still make it Down.
    wait_([] { return false; }, 2 * view_.state()->detection_time());
    if (auto failure = wait_until_whole()) return failure;
  }
  if (view_.leader() == wanted) return std::nullopt;
  return Stillbirth{"trigger", {}, scenario_.topology.leader + " did not become the leader."};
}

std::optional<Stillbirth> VirtualBirth::create(const Vm& vm) {
  pb::Request request;
  pb::Request::CreateVm& create = *request.mutable_create_vm();
  create.set_name(vm.name);
  *create.mutable_config() = vm.config;
  create.set_start(vm.start);
  if (!vm.owner.empty()) create.set_owner(node_named(vm.owner));
  std::optional<pb::Reply> reply;
  operator_.ask(request, [&reply](const pb::Reply& answer) { reply = answer; });
  wait_([&reply] { return reply.has_value(); }, 2 * Operator::kTimeLimit);
  if (reply->code() != 0) {
    return Stillbirth{"L3", vm.position,
                      "VM " + vm.name + " could not be created: " +
                          (reply->message().empty() ? code_name(static_cast<Code>(reply->code()))
                                                    : reply->message())};
  }
  const bool has_ended = wait_(
      [&] {
        const ClusterState* state = view_.state();
        const pb::Task* task = state == nullptr ? nullptr : state->task(reply->task());
        if (task == nullptr || !task->complete()) return false;
        return !vm.start || view_.look("vm", vm.name, "executing") == "true";
      },
      kBirth);
  if (has_ended) return std::nullopt;
  return Stillbirth{"L3", vm.position, "VM " + vm.name + " did not start."};
}

std::optional<Stillbirth> VirtualBirth::run() {
  world_.start_all();
  if (auto failure = wait_until_whole()) return failure;
  if (auto failure = settle_leader()) return failure;
  for (const Vm& vm : scenario_.vms) {
    if (auto failure = create(vm)) return failure;
  }
  return std::nullopt;
}

}  // namespace failsim::scenario
