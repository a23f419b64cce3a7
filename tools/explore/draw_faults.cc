// What breaks: families of faults, of which each seed has some in its mix.
#include <algorithm>
#include <span>
#include <utility>

#include "cluster/fault/failpoint.h"
#include "tools/explore/plan.h"

namespace failsim::explore {
namespace {

// Draws the faults of one run.
class FaultDrawer {
 public:
  FaultDrawer(const Plan& plan, Dice& dice) : plan_(plan), dice_(dice) {}

  std::vector<Timed> draw();

 private:
  using Family = void (FaultDrawer::*)();
  struct Share {
    Family family;
    std::uint32_t weight;
    bool needs_two;  // nodes
  };
  static const std::vector<Share>& families();

  // ---- families: each adds orders that begin at at_ or a little later ----
  void kill();
  void terminate();
  void blackout();
  void freeze();
  void grey();
  void cut_link();
  void isolate();
  void split();
  void swizzle();
  void silence();
  void slow_link();
  void lossy_link();
  void hold_link();
  void reset_link();
  void cut_volume();
  void cut_clients();
  void stall_disk();
  void slow_disk();
  void fail_disk();
  void replace_disk();
  void stall_volume();
  void restart_volume();
  void fail_guest();
  void trouble_guest();
  void trouble_clock();
  void take_memory();
  void arm_point();

  void add(const std::string& order, Duration lease, Duration after = 0) {
    timed_.push_back({at_ + after, fault(plan_, order + " for=" + in_text(lease))});
  }
  Duration lease(Duration shortest, Duration longest) { return dice_.time(shortest, longest); }
  std::string node() { return any_node(plan_, dice_); }
  std::string evidence() { return dice_.chance(50) ? " evidence=silent" : ""; }
  // Mostly everything, sometimes one class of the traffic.
  std::string traffic() {
    if (dice_.chance(65)) return "";
    return " class=" + dice_.pick<std::string>({"heartbeat", "control", "data"});
  }
  std::string link() {
    const std::string from = node();
    return from + "->" + another_node(plan_, from, dice_);
  }

  const Plan& plan_;
  Dice& dice_;
  Time at_ = 0;
  bool is_disk_replaced_ = false;
  std::vector<Timed> timed_;
};

const std::vector<FaultDrawer::Share>& FaultDrawer::families() {
  static const std::vector<Share> shares = {
      {&FaultDrawer::kill, 18, false},          {&FaultDrawer::terminate, 4, false},
      {&FaultDrawer::blackout, 3, false},       {&FaultDrawer::freeze, 14, false},
      {&FaultDrawer::grey, 3, false},           {&FaultDrawer::cut_link, 6, true},
      {&FaultDrawer::isolate, 8, true},         {&FaultDrawer::split, 5, true},
      {&FaultDrawer::swizzle, 3, true},         {&FaultDrawer::silence, 7, true},
      {&FaultDrawer::slow_link, 5, true},       {&FaultDrawer::lossy_link, 5, true},
      {&FaultDrawer::hold_link, 4, true},       {&FaultDrawer::reset_link, 3, true},
      {&FaultDrawer::cut_volume, 8, false},     {&FaultDrawer::cut_clients, 3, false},
      {&FaultDrawer::stall_disk, 7, false},     {&FaultDrawer::slow_disk, 3, false},
      {&FaultDrawer::fail_disk, 3, false},      {&FaultDrawer::stall_volume, 5, false},
      {&FaultDrawer::restart_volume, 3, false}, {&FaultDrawer::fail_guest, 5, false},
      {&FaultDrawer::trouble_guest, 3, false},  {&FaultDrawer::trouble_clock, 3, false},
      {&FaultDrawer::arm_point, 10, false},     {&FaultDrawer::take_memory, 2, false},
      {&FaultDrawer::replace_disk, 8, true},
  };
  return shares;
}

// Half of the seeds know a handful of kinds, the others nearly all.
std::vector<Timed> FaultDrawer::draw() {
  if (dice_.chance(4)) return {};  // nothing breaks but what reactions do
  const std::uint64_t share = dice_.chance(50) ? 25 : 85;
  std::vector<std::uint32_t> weights;
  for (const Share& family : families()) {
    const bool is_possible = plan_.nodes > 1 || !family.needs_two;
    weights.push_back(is_possible && dice_.chance(share) ? family.weight : 0);
  }
  if (std::all_of(weights.begin(), weights.end(), [](auto weight) { return weight == 0; })) {
    weights.front() = 1;
  }
  for (at_ = dice_.time(plan_.fault_min, plan_.fault_max); at_ < plan_.safety;
       at_ += dice_.time(plan_.fault_min, plan_.fault_max)) {
    const Time begin = at_;
    (this->*families()[dice_.weighted(weights)].family)();
    at_ = begin;
  }
  return std::move(timed_);
}

// ---- Processes ----------------------------------------------------------------------------------

void FaultDrawer::kill() {
  const std::string kind = dice_.chance(20) ? "power-off " : "kill ";
  add(kind + node() + evidence(), lease(50 * kMillisecond, 9 * kSecond));
}

void FaultDrawer::terminate() {
  if (dice_.chance(15)) {
    return add("crash-loop " + node() +
                   " every=" + in_text(dice_.time(300 * kMillisecond, 4 * kSecond)) + evidence(),
               lease(2 * kSecond, 10 * kSecond));
  }
  const std::string leaving = node();
  if (dice_.chance(20)) {
    add("slow-stop " + leaving + " by=" + in_text(dice_.time(100 * kMillisecond, 6 * kSecond)),
        2 * kSecond);
  }
  add("terminate " + leaving, lease(50 * kMillisecond, 6 * kSecond));
}

// Several at once: what only some of them had written is put to the test.
void FaultDrawer::blackout() {
  const std::string kind = dice_.chance(50) ? "power-off " : "kill ";
  const bool takes_all = dice_.chance(60);
  for (std::uint32_t number = 1; number <= plan_.nodes; ++number) {
    if (!takes_all && dice_.chance(40)) continue;
    add(kind + node_of(number) + evidence(), lease(50 * kMillisecond, 3 * kSecond),
        dice_.time(0, 30 * kMillisecond));
  }
}

void FaultDrawer::freeze() {
  add("freeze " + node(), lease(5 * kMillisecond, 7 * kSecond));
}

void FaultDrawer::grey() {
  add("grey " + node(), lease(500 * kMillisecond, 6 * kSecond));
}

// ---- Network ------------------------------------------------------------------------------------

void FaultDrawer::cut_link() {
  add("link-cut " + link() + traffic(), lease(20 * kMillisecond, 6 * kSecond));
}

void FaultDrawer::isolate() {
  if (dice_.chance(10)) return add("version-skew " + node(), lease(20 * kMillisecond, 8 * kSecond));
  add("isolate " + node() + traffic(), lease(20 * kMillisecond, 8 * kSecond));
}

void FaultDrawer::split() {
  std::string one;
  std::string other;
  for (std::uint32_t number = 1; number <= plan_.nodes; ++number) {
    std::string& side = dice_.chance(50) ? one : other;
    side += (side.empty() ? "" : ",") + node_of(number);
  }
  if (one.empty() || other.empty()) return isolate();
  add("link-cut " + one + (dice_.chance(75) ? "<->" : "->") + other,
      lease(100 * kMillisecond, 8 * kSecond));
}

// One after the other is cut off, and they come back in another order.
void FaultDrawer::swizzle() {
  const Duration whole = lease(2 * kSecond, 6 * kSecond);
  for (std::uint32_t number = 1; number <= plan_.nodes; ++number) {
    if (dice_.chance(40)) continue;
    const Duration after = dice_.time(0, whole / 2);
    add("isolate " + node_of(number), dice_.time(whole / 4, whole), after);
  }
}

// Heartbeats alone are lost; in half of the cases nothing reaches the node any more just when the
// others give it up: it still has a lease.
void FaultDrawer::silence() {
  const std::string silent = node();
  const bool speaks = dice_.chance(50);
  add("link-cut " + (speaks ? silent + "->all" : "all->" + silent) + " class=heartbeat",
      lease(500 * kMillisecond, 8 * kSecond));
  if (dice_.chance(50)) return;
  const Duration after = dice_.time(100 * kMillisecond, 1500 * kMillisecond);
  add("isolate " + silent, lease(20 * kMillisecond, 8 * kSecond), after);
}

void FaultDrawer::slow_link() {
  if (dice_.chance(30)) {
    const std::uint64_t kibibytes = std::uint64_t{64} << dice_.between(0, 10);
    return add("link-rate " + link() + " rate=" + std::to_string(kibibytes) + "KiB/s",
               lease(500 * kMillisecond, 6 * kSecond));
  }
  const Duration longest = dice_.time(2 * kMillisecond, 400 * kMillisecond);
  add("link-delay " + link() + " min=" + in_text(dice_.time(0, longest)) +
          " max=" + in_text(longest) + traffic(),
      lease(100 * kMillisecond, 6 * kSecond));
}

void FaultDrawer::lossy_link() {
  const std::string from = node();
  const std::string on = dice_.chance(50) ? link() : from + "->all";
  const std::string share = " share=" + std::to_string(dice_.between(1, 50)) + "%";
  const Duration over = lease(100 * kMillisecond, 6 * kSecond);
  switch (dice_.between(0, 4)) {
    case 0:
      return add("link-loss " + on + share, over);
    case 1:
      return add("link-duplicate " + on + share, over);
    case 2:
      return add("link-reorder " + on + share +
                     " window=" + in_text(dice_.time(10 * kMillisecond, 3 * kSecond)),
                 over);
    case 3:
      return add("link-corrupt " + on + share, over);
    default:
      add("link-loss " + on + share, over);
      add("link-duplicate " + on + share, over);
  }
}

void FaultDrawer::hold_link() {
  if (dice_.chance(25)) {
    return add("link-flap " + link() +
                   " every=" + in_text(dice_.time(20 * kMillisecond, 2 * kSecond)) + traffic(),
               lease(500 * kMillisecond, 8 * kSecond));
  }
  add("link-hold " + link() + traffic(), lease(100 * kMillisecond, 5 * kSecond));
}

void FaultDrawer::reset_link() {
  add("link-reset " + link(), lease(100 * kMillisecond, kSecond));
}

void FaultDrawer::cut_clients() {
  const std::string kind = dice_.chance(30) ? "no-descriptors " : "api-cut ";
  add(kind + node(), lease(100 * kMillisecond, 5 * kSecond));
}

void FaultDrawer::cut_volume() {
  const std::string at = node();
  add("link-cut " + (dice_.chance(50) ? at + "->volume" : "volume->" + at),
      lease(20 * kMillisecond, 4 * kSecond));
}

// ---- Disks and the volume -----------------------------------------------------------------------

void FaultDrawer::stall_disk() {
  add("disk-stall " + node(), lease(20 * kMillisecond, 5 * kSecond));
}

void FaultDrawer::slow_disk() {
  const Duration longest = dice_.time(10 * kMillisecond, 300 * kMillisecond);
  add("disk-slow " + node() + " min=" + in_text(dice_.time(0, longest)) +
          " max=" + in_text(longest),
      lease(500 * kMillisecond, 6 * kSecond));
}

void FaultDrawer::fail_disk() {
  add("disk-fail " + node() + " error=" + dice_.pick<std::string>({"EIO", "ENOSPC", "EROFS"}),
      lease(2 * kSecond, 8 * kSecond));
}

// Once in a run: a node with a blank, damaged or older store has no vote, and the others have to be
// a quorum.
void FaultDrawer::replace_disk() {
  if (std::exchange(is_disk_replaced_, true)) return;
  if (plan_.nodes > 2 && dice_.chance(15)) {
    const std::string one = node();
    return add("disk-swap " + one + "," + another_node(plan_, one, dice_) + evidence(),
               lease(500 * kMillisecond, 4 * kSecond));
  }
  const std::string kind = dice_.pick<std::string>(
      {"disk-replace", "disk-replace", "disk-flip", "disk-restore", "disk-restore", "disk-tear"});
  const std::string part = kind == "disk-flip" && dice_.chance(50) ? " part=table" : "";
  const std::string age =
      kind == "disk-restore" ? " age=" + std::to_string(dice_.between(1, 3)) : "";
  const std::string hit = node();
  const Duration over = lease(500 * kMillisecond, 8 * kSecond);
  // An older copy whose starts count on while nobody hears it.
  const bool starts_unheard = kind == "disk-restore" && dice_.chance(40);
  if (starts_unheard) add("isolate " + hit, over / 2);
  add(kind + " " + hit + part + age + evidence(), over);
  if (starts_unheard) add("crash-loop " + hit + " every=" + in_text(over / 12), over / 2);
}

void FaultDrawer::stall_volume() {
  if (dice_.chance(30)) {
    return add("volume-fail volume", lease(20 * kMillisecond, 2 * kSecond));
  }
  if (dice_.chance(30)) {
    return add("volume-slow volume min=5ms max=" +
                   in_text(dice_.time(10 * kMillisecond, 400 * kMillisecond)),
               lease(500 * kMillisecond, 5 * kSecond));
  }
  add("volume-stall volume", lease(20 * kMillisecond, 3 * kSecond));
}

void FaultDrawer::restart_volume() {
  add("volume-restart volume", lease(100 * kMillisecond, kSecond));
}

// ---- Guests, clocks, memory ---------------------------------------------------------------------

void FaultDrawer::fail_guest() {
  add("guest-fail " + node() +
          " step=" + dice_.pick<std::string>({"prepare", "start", "save", "resume"}),
      lease(500 * kMillisecond, 10 * kSecond));
}

void FaultDrawer::trouble_guest() {
  const std::string vm = any_vm(plan_, dice_);
  if (dice_.chance(50)) return add("guest-crash " + vm, kSecond);
  add("guest-dirty " + vm + " rate=" + std::to_string(dice_.between(0, 256)) + "MiB/s",
      lease(500 * kMillisecond, 8 * kSecond));
}

// The rates of two clocks differ by no more than leases allow for.
void FaultDrawer::trouble_clock() {
  switch (dice_.between(0, 2)) {
    case 0:
      return add("clock-drift " + node() + " ppm=" + std::to_string(dice_.between(50, 250)) +
                     " direction=" + dice_.pick<std::string>({"fast", "slow"}),
                 lease(kSecond, 20 * kSecond));
    case 1:
      return add("timer-late " + node() +
                     " by=" + in_text(dice_.time(5 * kMillisecond, 600 * kMillisecond)),
                 lease(500 * kMillisecond, 6 * kSecond));
    default:
      if (dice_.chance(25)) {
        return add("clock-strobe " + node() + " by=" + std::to_string(dice_.between(1, 60)) +
                       "s every=" + in_text(dice_.time(10 * kMillisecond, kSecond)),
                   lease(500 * kMillisecond, 6 * kSecond));
      }
      return add("clock-jump " + node() + " by=" + (dice_.chance(50) ? "-" : "") +
                     std::to_string(dice_.between(1, 60)) + "s",
                 lease(500 * kMillisecond, 6 * kSecond));
  }
}

void FaultDrawer::take_memory() {
  add("memory-pressure " + node() + " bytes=" + std::to_string(dice_.between(1, 12) * 128) + "MiB",
      lease(500 * kMillisecond, 8 * kSecond));
}

// A named point of a migration: the next one that passes it is hit just there.
void FaultDrawer::arm_point() {
  const std::string term = dice_.pick<std::string>(
      {"kill", "kill", "power-off", "cancel",
       "freeze(" + in_text(dice_.time(10 * kMillisecond, 4 * kSecond)) + ")",
       "cut(" + in_text(dice_.time(10 * kMillisecond, 4 * kSecond)) + ")",
       "delay(" + in_text(dice_.time(10 * kMillisecond, 2 * kSecond)) + ")"});
  const std::span<const std::string> points = failsim::fault::point_names();
  // Most points are those of late rounds, which few migrations reach.
  std::string point = points[dice_.between(0, points.size() - 1)];
  while (point.starts_with("round.") && !point.starts_with("round.1.") &&
         !point.starts_with("round.2.")) {
    point = points[dice_.between(0, points.size() - 1)];
  }
  add("failpoint " + point + " terms=" + std::to_string(dice_.between(1, 2)) + "*" + term,
      lease(2 * kSecond, 15 * kSecond));
}

}  // namespace

std::vector<Timed> draw_faults(const Plan& plan, Dice& dice) {
  return FaultDrawer(plan, dice).draw();
}

// A node that is gone, and the nastier ones that still seem to be there: heard by nobody, hearing
// nobody, hanging while their heartbeats go on, or with a disk that stands still.
std::vector<Timed> draw_lasting_damage(const Plan& plan, const std::vector<std::string>& nodes,
                                       Time at, Dice& dice) {
  Plan unweakened = plan;  // damage that somebody weakened would not be this damage
  unweakened.survivable = false;
  std::vector<Timed> damage;
  for (const std::string& node : nodes) {
    const std::string order =
        dice.pick<std::string>({"kill " + node, "kill " + node + " evidence=silent",
                                "power-off " + node + " evidence=silent", "freeze " + node,
                                "isolate " + node, "link-cut " + node + "->all",
                                "link-cut all->" + node, "grey " + node, "disk-stall " + node});
    damage.push_back({at, fault(unweakened, order + " for=24h")});
  }
  return damage;
}

}  // namespace failsim::explore
