#include "tools/sim/fault_plan.h"

#include <utility>

namespace failsim::sim {
namespace {

Duration draw_duration(Random& random, Duration from, Duration to) {
  return from + static_cast<Duration>(random.below(static_cast<std::uint64_t>(to - from)));
}

}  // namespace

FaultPlan::FaultPlan(World& world, std::uint64_t seed) : world_(world), random_(seed) {
  // Some runs are rough, others leave time to recover in between.
  shortest_pause_ = draw_duration(random_, 50 * kMillisecond, kSecond);
  longest_pause_ = shortest_pause_ + draw_duration(random_, kSecond, 6 * kSecond);
}

void FaultPlan::next() {
  world_.queue().after(draw_duration(random_, shortest_pause_, longest_pause_), [this] {
    if (is_healed_) return;
    inject();
    next();
  });
}

void FaultPlan::until_over(Duration shortest, Duration longest, std::function<void()> over) {
  world_.queue().after(draw_duration(random_, shortest, longest), [this, over = std::move(over)] {
    if (!is_healed_) over();
  });
}

NodeId FaultPlan::any_node() {
  return world_.nodes()[random_.below(world_.nodes().size())];
}

NodeId FaultPlan::another_node(NodeId node) {
  NodeId other = any_node();
  while (other == node) other = any_node();
  return other;
}

void FaultPlan::inject() {
  const bool is_alone = world_.nodes().size() == 1;
  const std::uint64_t dice = random_.below(100);
  if (dice < 24) return end_process();
  if (dice < 38) return stop_process();
  if (dice < 64 && is_alone) return stall_volume();
  if (dice < 42) return cut_link();
  if (dice < 48) return silence();
  if (dice < 56) return isolate();
  if (dice < 60) return split();
  if (dice < 64) return worsen_link();
  if (dice < 72) return cut_volume();
  if (dice < 80) return stall_disk();
  if (dice < 83) return fail_disk();
  if (dice < 90) return stall_volume();
  trouble_host();
}

void FaultPlan::end_process() {
  const NodeId node = any_node();
  const auto evidence = random_.below(2) == 0 ? World::Evidence::kNone : World::Evidence::kReported;
  switch (random_.below(6)) {
    case 0:
      ++injected_["power-off"];
      world_.power_off(node, evidence);
      break;
    case 1:
      ++injected_["leave"];
      world_.leave(node);
      break;
    default:
      ++injected_["kill"];
      world_.kill(node, evidence);
  }
  until_over(50 * kMillisecond, 9 * kSecond, [this, node] { world_.start(node); });
}

void FaultPlan::stop_process() {
  const NodeId node = any_node();
  ++injected_["stop"];
  world_.stop(node);
  until_over(5 * kMillisecond, 7 * kSecond, [this, node] { world_.cont(node); });
}

void FaultPlan::cut_link() {
  const NodeId from = any_node();
  const NodeId to = another_node(from);
  ++injected_["cut one way"];
  world_.network().cut(from, to);
  until_over(20 * kMillisecond, 6 * kSecond, [this, from, to] { world_.network().heal(from, to); });
}

void FaultPlan::isolate() {
  ++injected_["isolate"];
  cut_off(any_node());
}

void FaultPlan::cut_off(NodeId node) {
  for (const NodeId other : world_.nodes()) {
    if (other != node) world_.partition({node}, {other});
  }
  until_over(20 * kMillisecond, 8 * kSecond, [this, node] {
    for (const NodeId other : world_.nodes()) {
      world_.network().heal(node, other);
      world_.network().heal(other, node);
    }
  });
}

void FaultPlan::split() {
  std::vector<NodeId> one;
  std::vector<NodeId> other;
  for (const NodeId node : world_.nodes()) (random_.below(2) == 0 ? one : other).push_back(node);
  ++injected_["split"];
  world_.partition(one, other);
  until_over(100 * kMillisecond, 8 * kSecond, [this, one, other] {
    for (const NodeId left : one) {
      for (const NodeId right : other) {
        world_.network().heal(left, right);
        world_.network().heal(right, left);
      }
    }
  });
}

void FaultPlan::cut_volume() {
  const NodeId node = any_node();
  const bool asks = random_.below(2) == 0;
  const NodeId from = asks ? node : kVolumeSite;
  const NodeId to = asks ? kVolumeSite : node;
  ++injected_["cut volume"];
  world_.network().cut(from, to);
  until_over(20 * kMillisecond, 4 * kSecond, [this, from, to] { world_.network().heal(from, to); });
}

void FaultPlan::worsen_link() {
  const NodeId from = any_node();
  const NodeId to = another_node(from);
  LinkQuality worse;
  worse.delay_max = draw_duration(random_, 2 * kMillisecond, 400 * kMillisecond);
  worse.loss_per_mille = static_cast<std::uint32_t>(random_.below(400));
  worse.duplicate_per_mille = static_cast<std::uint32_t>(random_.below(400));
  ++injected_["bad link"];
  world_.network().set_quality(from, to, worse);
  until_over(100 * kMillisecond, 6 * kSecond,
             [this, from, to] { world_.network().reset_quality(from, to); });
}

// Its heartbeats reach nobody, or none reach it, while everything else passes.
void FaultPlan::silence() {
  const NodeId node = any_node();
  const bool speaks = random_.below(2) == 0;
  LinkQuality silent;
  silent.drops_datagrams = true;
  ++injected_["silence"];
  std::vector<std::pair<NodeId, NodeId>> links;
  for (const NodeId other : world_.nodes()) {
    if (other != node) links.emplace_back(speaks ? node : other, speaks ? other : node);
  }
  for (const auto& [from, to] : links) world_.network().set_quality(from, to, silent);
  // Sometimes nothing reaches it any more just when the others give it up: it still has a lease.
  if (random_.below(2) == 0) {
    until_over(100 * kMillisecond, 1500 * kMillisecond, [this, node] { cut_off(node); });
  }
  until_over(100 * kMillisecond, 8 * kSecond, [this, links] {
    for (const auto& [from, to] : links) world_.network().reset_quality(from, to);
  });
}

void FaultPlan::stall_disk() {
  ++injected_["disk stall"];
  world_.disk(any_node())
      .stall_until(world_.now() + draw_duration(random_, 20 * kMillisecond, 5 * kSecond));
}

void FaultPlan::fail_disk() {
  const NodeId node = any_node();
  ++injected_["disk failure"];
  world_.disk(node).fail_writes();
  until_over(2 * kSecond, 10 * kSecond, [this, node] { world_.start(node); });
}

void FaultPlan::stall_volume() {
  if (random_.below(3) == 0) {
    ++injected_["volume restart"];
    world_.volume().restart();
    return;
  }
  ++injected_["volume stall"];
  world_.volume().stall_until(world_.now() +
                              draw_duration(random_, 20 * kMillisecond, 3 * kSecond));
}

void FaultPlan::trouble_host() {
  const NodeId node = any_node();
  if (!world_.is_running(node)) return;
  HostFaults& faults = world_.process(node)->host().faults();
  ++injected_["host trouble"];
  switch (random_.below(3)) {
    case 0:
      faults.refuse_prepare = true;
      break;
    case 1:
      faults.fail_start = true;
      break;
    default:
      faults.fail_save = true;
  }
}

void FaultPlan::heal() {
  is_healed_ = true;
  world_.network().heal_all();
  world_.volume().stall_until(0);
  for (const NodeId node : world_.nodes()) {
    world_.disk(node).stall_until(0);
    world_.cont(node);
    if (world_.is_running(node)) world_.process(node)->host().faults() = HostFaults();
    world_.start(node);
  }
}

}  // namespace failsim::sim
