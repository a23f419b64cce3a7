// What people do to a cluster while it is being broken.
#include <algorithm>
#include <array>
#include <utility>

#include "tools/explore/plan.h"

namespace failsim::explore {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostHalfMebibytes = 3;  // of a VM with real pages

// A slow one can be interrupted, but one that is asked for as late as can be and never converges,
// which sends all of its pages in each round and once more at the end, ends well within the 20 s
// that are given to recover.
struct SlowMigration {
  std::uint64_t slowest_bytes_per_second;
  std::uint64_t most_rounds;

  constexpr std::uint64_t longest_seconds() const {
    return kMostHalfMebibytes * kMebibyte / 2 * (most_rounds + 1) / slowest_bytes_per_second;
  }
};
constexpr SlowMigration kPrecopy{2 * kMebibyte, 20};
constexpr SlowMigration kPostCopy{kMebibyte / 2, 4};
static_assert(kPrecopy.longest_seconds() <= 15 && kPostCopy.longest_seconds() <= 15);

bool is_modelled(const Plan& plan, const std::string& vm) {
  return plan.vms > 1 && vm == vm_of(plan.vms);
}

pb::VmConfig draw_config(const Plan& plan, const std::string& vm, Dice& dice) {
  pb::VmConfig config;
  config.set_modelled(is_modelled(plan, vm));
  config.set_memory_bytes(config.modelled() ? dice.between(1, 5) * 128 * kMebibyte
                                            : dice.between(1, kMostHalfMebibytes) * kMebibyte / 2);
  config.set_working_set_bytes(config.memory_bytes() / (std::uint64_t{1} << dice.between(0, 2)));
  config.set_dirty_bytes_per_second(config.working_set_bytes() / 8 * dice.between(0, 8));
  config.set_pattern(static_cast<pb::DirtyPattern>(dice.between(0, 2)));
  config.set_fill(static_cast<pb::PageFill>(dice.between(0, 1)));
  return config;
}

std::string bytes(std::uint64_t count) {
  return std::to_string(count / 1024) + "KiB";
}

std::string create(const Plan& plan, const std::string& vm, Dice& dice) {
  const pb::VmConfig config = draw_config(plan, vm, dice);
  constexpr std::array kPatterns = {"uniform", "hot-set", "sequential"};
  constexpr std::array kFills = {"random", "zero"};
  std::string text = "vm create " + vm + " --memory " + bytes(config.memory_bytes()) +
                     " --working-set " + bytes(config.working_set_bytes()) + " --dirty-rate " +
                     bytes(config.dirty_bytes_per_second()) + "/s --pattern " +
                     kPatterns[static_cast<std::size_t>(config.pattern())] + " --fill " +
                     kFills[static_cast<std::size_t>(config.fill())];
  if (config.modelled()) text += " --modelled";
  if (dice.chance(50)) text += " --owner " + any_node(plan, dice);
  if (dice.chance(80)) text += " --start";
  return text;
}

std::string migrate(const Plan& plan, const std::string& vm, Dice& dice) {
  std::string text = "migrate " + vm + " --to " + any_node(plan, dice);
  const bool is_large = is_modelled(plan, vm);
  const bool is_post_copy = dice.chance(25);
  const SlowMigration& slow = is_post_copy ? kPostCopy : kPrecopy;
  if (is_post_copy) {
    // So slow that most guests do not converge.
    if (!is_large) {
      text += " --bandwidth " + bytes(dice.between(1, 4) * slow.slowest_bytes_per_second) + "/s";
    }
    text += " --downtime-limit 20ms --on-no-convergence post-copy";
  } else {
    if (!is_large && dice.chance(60)) {
      text += " --bandwidth " + bytes(dice.between(1, 16) * slow.slowest_bytes_per_second) + "/s";
    }
    text += " --downtime-limit " + in_text(dice.time(20 * kMillisecond, 500 * kMillisecond));
  }
  text += " --max-rounds " + std::to_string(dice.between(1, is_large ? 2 : slow.most_rounds));
  if (dice.chance(12)) text += " --timeout " + in_text(dice.time(kSecond, 20 * kSecond));
  if (dice.chance(50)) text += " --verify before-resume";
  return text;
}

std::string method(const std::string& vm, Dice& dice) {
  if (dice.chance(33)) return "vm start " + vm;
  return "vm " + dice.pick<std::string>({"start", "save", "reset", "pause", "resume", "turn-off"}) +
         " " + vm;
}

std::string change_job(const std::string& vm, Dice& dice) {
  if (dice.chance(40)) return "task cancel job(" + vm + ")";
  // A suspended job holds its slots until it goes on or ends.
  return "job request-state-change job(" + vm + ") " +
         std::to_string(dice.pick<int>({2, 2, 3, 3, 4, 5, 6}));
}

std::string set_property(const std::string& vm, Dice& dice) {
  switch (dice.between(0, 3)) {
    case 0:
      return "property set cluster MaximumParallelMigrations " + std::to_string(dice.between(1, 3));
    case 1:
      return "property set vm/" + vm + " OfflineAction " + std::to_string(dice.between(0, 4));
    default:
      return "property set vm/" + vm + " MigrationState " +
             std::to_string(dice.pick<int>({0, 0, 4, 5, 6}));
  }
}

}  // namespace

std::vector<scenario::Vm> draw_vms(const Plan& plan, Dice& dice) {
  std::vector<scenario::Vm> vms;
  for (std::uint32_t number = 1; number <= plan.vms; ++number) {
    scenario::Vm vm;
    vm.start = dice.chance(80);
    vm.name = vm_of(number);
    vm.config = draw_config(plan, vm.name, dice);
    // All of them fit a single node: the cluster has to be able to begin.
    const std::uint64_t most = plan.node_memory_bytes - 8 * kMebibyte;
    vm.config.set_memory_bytes(std::min(vm.config.memory_bytes(), most));
    vm.config.set_working_set_bytes(std::min(vm.config.working_set_bytes(), most));
    if (plan.has_sequences) {
      vm.owner = node_of(number % plan.nodes + 1);  // whoever is hit, it owns something
    } else if (dice.chance(50)) {
      vm.owner = any_node(plan, dice);
    }
    vms.push_back(std::move(vm));
  }
  return vms;
}

// Each seed has its own habits: the weights are drawn, too.
std::vector<Timed> draw_requests(const Plan& plan, Dice& dice) {
  std::array<std::uint32_t, 7> weights = {15, 40, 12, 20, 3, 6, 4};
  for (std::uint32_t& weight : weights) {
    if (dice.chance(25)) weight = weight * 4 + 1;
    if (dice.chance(25)) weight = 0;
  }
  if (dice.chance(60)) weights[1] += 20;  // most seeds are about migrations
  weights[1] += 1;
  std::vector<Timed> requests;
  for (Time at = dice.time(0, plan.work_max); at < plan.safety;
       at += dice.time(plan.work_min, plan.work_max)) {
    const std::string vm = any_vm(plan, dice);
    std::string text;
    switch (dice.weighted(weights)) {
      case 0:
        text = create(plan, vm, dice);
        break;
      case 1:
        text = migrate(plan, vm, dice);
        break;
      case 2:
        text = "migrate cancel " + vm;
        break;
      case 3:
        text = method(vm, dice);
        break;
      case 4:
        text = "vm delete " + vm;
        break;
      case 5:
        text = set_property(vm, dice);
        break;
      default:
        text = change_job(vm, dice);
        break;
    }
    requests.push_back({at, request(text)});
  }
  return requests;
}

}  // namespace failsim::explore
