#include "tools/sim/fault_plan.h"

#include <cassert>
#include <span>
#include <vector>

#include "cluster/fault/failpoint.h"
#include "cluster/fault/value.h"

namespace failsim::sim {
namespace {

Duration draw_duration(Random& random, Duration from, Duration to) {
  return from + static_cast<Duration>(random.below(static_cast<std::uint64_t>(to - from)));
}

}  // namespace

FaultPlan::FaultPlan(World& world, Injector& injector, std::uint32_t vms, std::uint64_t seed)
    : world_(world),
      injector_(injector),
      vms_(vms),
      random_(seed),
      targeted_(world, injector, random_.next()) {
  // Some runs are rough, others leave time to recover in between.
  shortest_pause_ = draw_duration(random_, 50 * kMillisecond, kSecond);
  longest_pause_ = shortest_pause_ + draw_duration(random_, kSecond, 6 * kSecond);
}

void FaultPlan::next() {
  world_.queue().after(draw_duration(random_, shortest_pause_, longest_pause_), [this] {
    if (is_healed_) return;
    draw_fault();
    next();
  });
}

void FaultPlan::heal() {
  is_healed_ = true;
  targeted_.stop();
  injector_.heal_all();
  for (const NodeId node : world_.nodes()) world_.start(node);
}

void FaultPlan::draw_fault() {
  static constexpr Weighted kOfMany[] = {
      {24, &FaultPlan::end_process},   {14, &FaultPlan::stop_process},
      {6, &FaultPlan::cut_link},       {6, &FaultPlan::silence},
      {8, &FaultPlan::isolate},        {4, &FaultPlan::split},
      {6, &FaultPlan::worsen_link},    {4, &FaultPlan::slow_link},
      {8, &FaultPlan::cut_volume},     {10, &FaultPlan::trouble_clock},
      {10, &FaultPlan::trouble_disk},  {3, &FaultPlan::fail_disk},
      {9, &FaultPlan::trouble_volume}, {10, &FaultPlan::trouble_host},
      {8, &FaultPlan::trouble_guest},  {14, &FaultPlan::arm_failpoint},
      {4, &FaultPlan::replace_disk},   {18, &FaultPlan::wait_for_the_moment}};
  static constexpr Weighted kOfOne[] = {
      {24, &FaultPlan::end_process},    {14, &FaultPlan::stop_process},
      {8, &FaultPlan::cut_volume},      {10, &FaultPlan::trouble_clock},
      {10, &FaultPlan::trouble_disk},   {3, &FaultPlan::fail_disk},
      {26, &FaultPlan::trouble_volume}, {10, &FaultPlan::trouble_host},
      {8, &FaultPlan::trouble_guest}};
  const std::span<const Weighted> drawn = world_.nodes().size() == 1
                                              ? std::span<const Weighted>(kOfOne)
                                              : std::span<const Weighted>(kOfMany);
  std::uint64_t sum = 0;
  for (const Weighted& one : drawn) sum += one.weight;
  std::uint64_t dice = random_.below(sum);
  for (const Weighted& one : drawn) {
    if (dice < one.weight) return (this->*one.draw)();
    dice -= one.weight;
  }
}

void FaultPlan::order(const std::string& line, Duration shortest, Duration longest) {
  const Result<fault::Order> order =
      fault::parse_order(line + " for=" + duration(shortest, longest));
  assert(order.ok());
  if (!injector_.inject(order.value())) ++refused_;
}

// ---- What is drawn ------------------------------------------------------------------------------

std::string FaultPlan::any_node() {
  return node_name(world_.nodes()[random_.below(world_.nodes().size())]);
}

std::string FaultPlan::any_link() {
  const std::string from = any_node();
  std::string to = any_node();
  while (to == from) to = any_node();
  return from + "->" + to;
}

std::string FaultPlan::any_vm() {
  return "vm-" + std::to_string(1 + random_.below(vms_));
}

std::string FaultPlan::any_class() {
  constexpr const char* kClasses[] = {"", "", " class=heartbeat", " class=control", " class=data"};
  return kClasses[random_.below(5)];
}

std::string FaultPlan::share(std::uint64_t most_per_mille) {
  return fault::exact_per_mille(1 + static_cast<std::int64_t>(random_.below(most_per_mille)));
}

std::string FaultPlan::duration(Duration shortest, Duration longest) {
  const Duration drawn = draw_duration(random_, shortest, longest);
  return fault::exact_duration(drawn / kMillisecond * kMillisecond);
}

// ---- Processes ----------------------------------------------------------------------------------

void FaultPlan::end_process() {
  const std::string evidence = one_of(2) ? " evidence=silent" : "";
  const std::uint64_t dice = random_.below(6);
  std::string line = "kill " + any_node() + evidence;
  if (dice == 0) line = "power-off " + any_node() + evidence;
  if (dice == 1) line = "terminate " + any_node();
  order(line, 50 * kMillisecond, 9 * kSecond);
}

void FaultPlan::stop_process() {
  order((one_of(6) ? "grey " : "freeze ") + any_node(), 5 * kMillisecond, 7 * kSecond);
}

// ---- Network ------------------------------------------------------------------------------------

void FaultPlan::cut_link() {
  order("link-cut " + any_link() + any_class(), 20 * kMillisecond, 6 * kSecond);
}

void FaultPlan::isolate() {
  order("isolate " + any_node() + (one_of(4) ? any_class() : ""), 20 * kMillisecond, 8 * kSecond);
}

void FaultPlan::split() {
  std::string one;
  std::size_t count = 0;
  for (const NodeId node : world_.nodes()) {
    if (!one_of(2) || !world_.is_running(node)) continue;
    one += (one.empty() ? "" : ",") + node_name(node);
    ++count;
  }
  if (count == 0 || count == world_.nodes().size()) return;
  order("isolate " + one, 100 * kMillisecond, 8 * kSecond);
}

// Its heartbeats reach nobody, or none reach it, while everything else passes.
void FaultPlan::silence() {
  const std::string node = any_node();
  const std::string links = one_of(2) ? node + "->all" : "all->" + node;
  order("link-cut " + links + " class=heartbeat", 100 * kMillisecond, 8 * kSecond);
  // Sometimes nothing reaches it any more just when the others give it up: it still has a lease.
  if (!one_of(2)) return;
  world_.queue().after(draw_duration(random_, 100 * kMillisecond, 1500 * kMillisecond),
                       [this, node] {
                         if (is_healed_) return;
                         order("isolate " + node, 20 * kMillisecond, 8 * kSecond);
                       });
}

void FaultPlan::worsen_link() {
  const std::string link = any_link();
  const Duration shortest = 100 * kMillisecond;
  const Duration longest = 6 * kSecond;
  const auto bad = [&](const std::string& line) { order(line, shortest, longest); };
  switch (random_.below(4)) {
    case 0:
      bad("link-delay " + link + " min=0s max=" + duration(2 * kMillisecond, 400 * kMillisecond));
      bad("link-loss " + link + " share=" + share(400));
      return bad("link-duplicate " + link + " share=" + share(400));
    case 1:
      return bad("link-corrupt " + link + " share=" + share(200) + any_class());
    case 2:
      return bad("link-reorder " + link + " share=" + share(500));
    default:
      return bad("link-loss " + link + " share=" + share(900) + any_class());
  }
}

void FaultPlan::slow_link() {
  const std::string link = any_link();
  switch (random_.below(3)) {
    case 0:
      return order("link-hold " + link + any_class(), 20 * kMillisecond, 5 * kSecond);
    case 1:
      return order("link-rate " + link +
                       " class=all rate=" + std::to_string(64 + random_.below(512)) + "KiB/s",
                   100 * kMillisecond, 5 * kSecond);
    default:
      return order("link-reset " + link, kSecond, 2 * kSecond);
  }
}

void FaultPlan::cut_volume() {
  const std::string node = any_node();
  order("link-cut " + (one_of(2) ? node + "->volume" : "volume->" + node), 20 * kMillisecond,
        4 * kSecond);
}

// ---- Clocks and disks ---------------------------------------------------------------------------

void FaultPlan::trouble_clock() {
  const std::string node = any_node();
  const std::string direction = one_of(2) ? " direction=slow" : "";
  switch (random_.below(4)) {
    case 0:
      return order("clock-jump " + node + " by=" + (one_of(2) ? "-" : "") +
                       duration(kMillisecond, 300 * kSecond),
                   100 * kMillisecond, 8 * kSecond);
    case 1:
      return order("timer-late " + node + " by=" + duration(kMillisecond, 2 * kSecond),
                   100 * kMillisecond, 5 * kSecond);
    default: {
      // Nearly always within what leases allow between two nodes.
      const std::uint64_t most = one_of(24) ? 100'000 : 500;
      return order(
          "clock-drift " + node + " ppm=" + std::to_string(1 + random_.below(most)) + direction,
          kSecond, 20 * kSecond);
    }
  }
}

void FaultPlan::trouble_disk() {
  if (one_of(3)) {
    return order("disk-slow " + any_node() +
                     " min=1ms max=" + duration(10 * kMillisecond, 700 * kMillisecond),
                 100 * kMillisecond, 6 * kSecond);
  }
  order("disk-stall " + any_node(), 20 * kMillisecond, 5 * kSecond);
}

void FaultPlan::fail_disk() {
  constexpr const char* kErrors[] = {"EIO", "ENOSPC", "EROFS"};
  order("disk-fail " + any_node() + " error=" + kErrors[random_.below(3)] +
            " after=" + std::to_string(random_.below(2) * random_.below(20'000)) + "B",
        2 * kSecond, 10 * kSecond);
}

// One at a time: a node with a blank disk has no vote, and the others have to be a quorum.
void FaultPlan::replace_disk() {
  for (const NodeId node : world_.nodes()) {
    if (world_.disk(node).is_replaced()) return;
  }
  const std::string evidence = one_of(2) ? "" : " evidence=silent";
  order("disk-replace " + any_node() + evidence, 500 * kMillisecond, 8 * kSecond);
}

void FaultPlan::trouble_volume() {
  switch (random_.below(6)) {
    case 0:
    case 1:
      return order("volume-restart", kSecond, 2 * kSecond);
    case 2:
      return order("volume-slow min=1ms max=" + duration(5 * kMillisecond, 100 * kMillisecond),
                   100 * kMillisecond, 4 * kSecond);
    case 3:
      if (one_of(2)) return order("volume-fail", 20 * kMillisecond, 2 * kSecond);
      [[fallthrough]];
    default:
      return order("volume-stall", 20 * kMillisecond, 3 * kSecond);
  }
}

// ---- Hosts and guests ---------------------------------------------------------------------------

void FaultPlan::trouble_host() {
  constexpr const char* kSteps[] = {"prepare", "start", "save", "resume"};
  switch (random_.below(8)) {
    case 0:
      return order("memory-pressure " + any_node() +
                       " bytes=" + std::to_string(64 + random_.below(2048)) + "MiB",
                   kSecond, 8 * kSecond);
    case 1:
      return order("api-cut " + any_node(), 100 * kMillisecond, 8 * kSecond);
    default:
      return order("guest-fail " + any_node() + " step=" + kSteps[random_.below(4)], 5 * kSecond,
                   60 * kSecond);
  }
}

void FaultPlan::trouble_guest() {
  if (one_of(2)) return order("guest-crash " + any_vm(), kSecond, 2 * kSecond);
  order("guest-dirty " + any_vm() + " rate=" + std::to_string(random_.below(256)) + "MiB/s",
        100 * kMillisecond, 8 * kSecond);
}

// ---- Named points -------------------------------------------------------------------------------

std::string FaultPlan::draw_terms(const std::string& point) {
  std::vector<std::string> terms = {"kill",
                                    "kill",
                                    "power-off",
                                    "freeze(" + duration(5 * kMillisecond, 6 * kSecond) + ")",
                                    "cut(" + duration(20 * kMillisecond, 6 * kSecond) + ")",
                                    "delay(" + duration(5 * kMillisecond, 3 * kSecond) + ")",
                                    "cancel"};
  if (point.ends_with(".before-persist")) terms.insert(terms.end(), {"return(EIO)"});
  if (point.ends_with(".before-send") || point.ends_with(".on-receive")) {
    terms.insert(terms.end(), {"return(DROP)", "return(DROP)"});
  }
  if (point.starts_with("target.setup.")) terms.push_back("return(NO_MEMORY)");
  return (one_of(3) ? "50%" : "1*") + terms[random_.below(terms.size())];
}

void FaultPlan::arm_failpoint() {
  // Of the rounds only the first few: later ones hardly come.
  const std::span<const std::string> names = fault::point_names();
  std::string point = names[random_.below(names.size())];
  while (point.starts_with("round.") && point[6] > '3') {
    point = names[random_.below(names.size())];
  }
  order("failpoint " + point + " terms=" + draw_terms(point), 3 * kSecond, 12 * kSecond);
}

// ---- Sequences ----------------------------------------------------------------------------------

void FaultPlan::wait_for_the_moment() {
  const std::string begun = targeted_.begin();
  if (!begun.empty()) ++begun_[begun];
}

}  // namespace failsim::sim
