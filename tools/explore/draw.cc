#include "tools/explore/draw.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "cluster/fault/order.h"
#include "tools/explore/plan.h"

namespace failsim::explore {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

// What a sequence is about shows at once, and other faults mostly spoil it.
void narrow_to_sequences(Plan& plan, Dice& dice) {
  plan.has_sequences = true;
  plan.survivable = false;
  plan.nodes = dice.pick<std::uint32_t>({3, 3, 3, 3, 5});
  plan.vms = static_cast<std::uint32_t>(dice.between(2, 3));
  plan.threshold = dice.pick<std::uint32_t>({3, 3, 4, 6});
  plan.safety = dice.time(5 * kSecond, 12 * kSecond);
  plan.work_max = dice.time(200 * kMillisecond, 2 * kSecond);
  plan.fault_min = dice.chance(60) ? plan.safety : 2 * kSecond;
  plan.fault_max = plan.fault_min + 6 * kSecond;
  if (dice.chance(80)) plan.leader = any_node(plan, dice);
}

Plan draw_plan(Dice& dice) {
  Plan plan;
  const std::vector<std::uint32_t> sizes = {3, 3, 3, 3, 3, 3, 3, 5, 5, 5, 5, 4, 2, 7, 6, 1};
  plan.nodes = dice.pick(sizes);
  plan.vms = static_cast<std::uint32_t>(dice.between(1, 4));
  plan.node_memory_bytes = dice.between(1, 4) * 512 * kMebibyte + 8 * kMebibyte;
  plan.safety = dice.time(6 * kSecond, 30 * kSecond);
  // Some runs are rough, others leave time to recover in between; people hurry or do not.
  plan.work_min = 20 * kMillisecond;
  plan.work_max = dice.time(100 * kMillisecond, 2 * kSecond);
  plan.fault_min = dice.time(20 * kMillisecond, 1 * kSecond);
  plan.fault_max = plan.fault_min + dice.time(500 * kMillisecond, 6 * kSecond);
  plan.survivable = dice.chance(15);
  plan.threshold = dice.pick<std::uint32_t>({3, 3, 3, 4, 6});
  if (plan.nodes >= 3 && dice.chance(45)) narrow_to_sequences(plan, dice);
  return plan;
}

scenario::Topology draw_topology(const Plan& plan, Dice& dice) {
  scenario::Topology topology;
  topology.nodes = plan.nodes;
  topology.leader = plan.leader;
  topology.node_memory_bytes = plan.node_memory_bytes;
  topology.settings["SameSubnetDelay"] = "250";
  topology.settings["SameSubnetThreshold"] = std::to_string(plan.threshold);
  topology.settings["MaximumParallelMigrations"] = std::to_string(dice.between(1, 3));
  if (!plan.has_sequences && dice.chance(30)) {
    topology.settings["LogElectionTimeout"] = std::to_string(dice.pick<int>({400, 800, 1500}));
  }
  topology.link_delay_max = dice.time(1 * kMillisecond, 30 * kMillisecond);
  if (dice.chance(60)) {
    topology.link_loss_per_mille = static_cast<std::uint32_t>(dice.between(0, 30));
    topology.link_duplicate_per_mille = static_cast<std::uint32_t>(dice.between(0, 20));
  }
  topology.link_bytes_per_second = dice.between(128, 640) * kMebibyte;
  topology.disk_sync_max = dice.time(1 * kMillisecond, 20 * kMillisecond);
  topology.guest_quantum = dice.pick<Duration>({20 * kMillisecond, 100 * kMillisecond});
  topology.compact_every = dice.pick<std::uint64_t>({25, 60, 200, 10'000});
  return topology;
}

// A minority: what is left is a core that has to go on.
std::vector<std::string> draw_left_broken(const Plan& plan, Dice& dice) {
  if (plan.nodes < 3 || plan.has_sequences || !dice.chance(35)) return {};
  std::vector<std::string> nodes;
  for (std::uint32_t number = 1; number <= plan.nodes; ++number) nodes.push_back(node_of(number));
  const std::uint64_t broken = dice.between(1, (plan.nodes - 1) / 2);
  while (nodes.size() > broken) {
    nodes.erase(nodes.begin() + static_cast<std::ptrdiff_t>(dice.between(0, nodes.size() - 1)));
  }
  return nodes;
}

std::vector<scenario::Step> in_order(std::vector<Timed> timed) {
  std::stable_sort(timed.begin(), timed.end(),
                   [](const Timed& left, const Timed& right) { return left.at < right.at; });
  std::vector<scenario::Step> steps;
  for (Timed& one : timed) {
    scenario::Step step;
    step.at = one.at;
    step.effect = std::move(one.effect);
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace

// ---- What the parts share -----------------------------------------------------------------------

std::string node_of(std::uint32_t number) {
  return "node-" + std::to_string(number);
}

std::string vm_of(std::uint32_t number) {
  return "vm-" + std::to_string(number);
}

std::string any_node(const Plan& plan, Dice& dice) {
  return node_of(static_cast<std::uint32_t>(dice.between(1, plan.nodes)));
}

std::string another_node(const Plan& plan, const std::string& node, Dice& dice) {
  assert(plan.nodes > 1);
  std::string other = any_node(plan, dice);
  while (other == node) other = any_node(plan, dice);
  return other;
}

std::string any_vm(const Plan& plan, Dice& dice) {
  return vm_of(static_cast<std::uint32_t>(dice.between(1, plan.vms)));
}

scenario::Effect fault(const Plan& plan, const std::string& order, const std::string& label) {
  Result<fault::Order> parsed = fault::parse_order(order);
  scenario::Inject inject;
  inject.order = parsed.take();
  inject.label = label;
  inject.order.survivable =
      plan.survivable && inject.order.kind->place == failsim::fault::Place::kNode;
  return inject;
}

scenario::Effect request(const std::string& action) {
  scenario::Do asked;
  asked.action = scenario::parse_action(action).take();
  asked.answer = scenario::Do::Answer::kAny;
  return asked;
}

scenario::Condition condition(const std::string& text) {
  return scenario::parse_condition(text).take();
}

// ---- The whole ----------------------------------------------------------------------------------

scenario::Scenario draw(std::uint64_t seed) {
  Dice dice(seed ^ 0x6578706c6f7265u);
  const Plan plan = draw_plan(dice);
  Dice of_topology = dice.split();
  Dice of_vms = dice.split();
  Dice of_requests = dice.split();
  Dice of_faults = dice.split();
  Dice of_reactions = dice.split();
  Dice of_end = dice.split();
  Dice of_sequences = dice.split();

  scenario::Scenario drawn;
  drawn.name = "seed-" + std::to_string(seed);
  drawn.sentence = "What seed " + std::to_string(seed) + " draws.";
  drawn.seed = dice.seed() >> 16;
  drawn.topology = draw_topology(plan, of_topology);
  drawn.vms = draw_vms(plan, of_vms);
  drawn.writers = static_cast<std::uint32_t>(of_requests.between(0, 2));
  if (plan.has_sequences) drawn.writers = std::min(plan.nodes, drawn.writers + 2);
  drawn.reactions = draw_reactions(plan, of_reactions);

  std::vector<Timed> timed = draw_requests(plan, of_requests);
  for (Timed& fault : draw_faults(plan, of_faults)) timed.push_back(std::move(fault));
  Sequences sequences = draw_sequences(plan, of_sequences);
  std::move(sequences.steps.begin(), sequences.steps.end(), std::back_inserter(timed));
  std::move(sequences.reactions.begin(), sequences.reactions.end(),
            std::back_inserter(drawn.reactions));
  drawn.left_broken = draw_left_broken(plan, of_end);
  // What stays broken needs time: the lost are waited for before the work they had is ended.
  drawn.recovery = drawn.left_broken.empty() ? 20 * kSecond : 60 * kSecond;
  for (Timed& damage : draw_lasting_damage(plan, drawn.left_broken, plan.safety, of_end)) {
    timed.push_back(std::move(damage));
  }
  drawn.steps = in_order(std::move(timed));
  drawn.virtual_only = true;
  return drawn;
}

}  // namespace failsim::explore
