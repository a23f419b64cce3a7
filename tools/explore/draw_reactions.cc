// The moments that are lain in wait for: a fault or a request aimed at a phase of a migration, at
// an election, at a node that is just being given up.
#include <utility>

#include "tools/explore/plan.h"

namespace failsim::explore {
namespace {

// Mostly at once, sometimes a little or quite a while later.
Duration draw_delay(Dice& dice) {
  switch (dice.between(0, 4)) {
    case 0:
      return dice.time(0, 500 * kMillisecond);
    case 1:
      return dice.time(0, 100 * kMillisecond);
    case 2:
      return dice.time(0, 20 * kMillisecond);
    default:
      return 0;
  }
}

// Something that happens to nodes: `on` is a selector of nodes.
scenario::Effect hit(const Plan& plan, const std::string& on, Dice& dice) {
  const std::string silent = dice.chance(50) ? " evidence=silent" : "";
  std::vector<std::string> orders = {
      "kill " + on + silent,    "kill " + on + silent, "power-off " + on + silent,
      "freeze " + on,           "disk-stall " + on,    "link-cut " + on + "->volume",
      "link-cut volume->" + on,
  };
  if (plan.nodes > 1) {
    orders.insert(orders.end(),
                  {"isolate " + on, "isolate " + on, "link-cut " + on + "->all",
                   "link-cut all->" + on, "link-hold " + on + "->all", "link-hold all->" + on});
  }
  const bool is_short = dice.chance(35);
  const Duration lease = is_short ? dice.time(10 * kMillisecond, 800 * kMillisecond)
                                  : dice.time(500 * kMillisecond, 9 * kSecond);
  return fault(plan, dice.pick(orders) + " for=" + in_text(lease));
}

// What can be done to a migration that is just in this phase.
scenario::Effect meddle(const Plan& plan, const std::string& vm, Dice& dice) {
  const std::string source = "source(" + vm + ")";
  const std::string target = "target(" + vm + ")";
  switch (dice.between(0, 11)) {
    case 0:
    case 1:
    case 2:
      return request("migrate cancel " + vm);
    case 3:
    case 4:
      return hit(plan, source, dice);
    case 5:
    case 6:
      return hit(plan, target, dice);
    case 7:
    case 8:
      return hit(plan, "leader", dice);
    case 9: {
      const std::string link = dice.chance(50) ? source + "->" + target : target + "->" + source;
      const std::string kind = dice.pick<std::string>({"link-cut ", "link-hold ", "link-reset "});
      const std::string traffic = dice.chance(60) ? " class=data" : "";
      return fault(plan, kind + link + traffic +
                             " for=" + in_text(dice.time(10 * kMillisecond, 5 * kSecond)));
    }
    case 10:
      return request("vm " +
                     dice.pick<std::string>({"turn-off", "save", "pause", "reset", "delete"}) +
                     " " + vm);
    default:
      return request("migrate " + vm + " --max-rounds 2 --to " + any_node(plan, dice) +
                     (dice.chance(50) ? " --verify before-resume" : ""));
  }
}

scenario::Reaction of_migration(const Plan& plan, Dice& dice) {
  const std::string vm = any_vm(plan, dice);
  const std::string phase = dice.pick<std::string>(
      {"Setup", "DataTransfer", "DataTransfer", "Move", "Move", "Move", "Canceled", "Failure"});
  scenario::Reaction reaction;
  reaction.when = condition("migration(" + vm + ").state == " + phase);
  const bool is_over = phase == "Canceled" || phase == "Failure";
  if (!is_over) {
    reaction.effect = meddle(plan, vm, dice);
  } else if (dice.chance(50)) {
    reaction.effect = request("migrate " + vm + " --max-rounds 2 --to " + any_node(plan, dice));
  } else {
    reaction.effect = hit(plan, dice.chance(50) ? "leader" : "owner(" + vm + ")", dice);
  }
  return reaction;
}

scenario::Reaction of_leader(const Plan& plan, Dice& dice) {
  scenario::Reaction reaction;
  const std::uint64_t roll = dice.between(0, 99);
  if (roll < 30) {
    const std::string role = dice.pick<std::string>({"Candidate", "Candidate", "Leader"});
    const std::string node = any_node(plan, dice);
    reaction.when = condition("node(" + node + ").role == " + role);
    reaction.effect = hit(plan, dice.chance(40) ? node : any_node(plan, dice), dice);
  } else if (roll < 80) {
    reaction.when = condition("cluster.leader != none");
    reaction.effect = hit(plan, "leader", dice);
  } else {
    reaction.when = condition("cluster.leader == none");
    reaction.effect = dice.chance(50) ? scenario::Effect(scenario::Heal{})
                                      : hit(plan, any_node(plan, dice), dice);
  }
  return reaction;
}

// The node that is given up still has a lease, or comes back just then.
scenario::Reaction of_node(const Plan& plan, Dice& dice) {
  const std::string node = any_node(plan, dice);
  scenario::Reaction reaction;
  reaction.when = condition("node(" + node + ").state == " + (dice.chance(75) ? "Down" : "Up"));
  switch (dice.between(0, 3)) {
    case 0:
      reaction.effect = scenario::Heal{};
      break;
    case 1:
      reaction.effect = hit(plan, "leader", dice);
      break;
    default:
      reaction.effect = hit(plan, node, dice);
  }
  return reaction;
}

scenario::Reaction of_vm(const Plan& plan, Dice& dice) {
  const std::string vm = any_vm(plan, dice);
  const std::string state = dice.pick<std::string>(
      {"TurningOn", "Restoring", "Saving", "TurningOff", "Running", "Paused", "Saved"});
  scenario::Reaction reaction;
  reaction.when = condition("vm(" + vm + ").state == " + state);
  switch (dice.between(0, 3)) {
    case 0:
      reaction.effect = request("migrate " + vm + " --max-rounds 2 --to " + any_node(plan, dice));
      break;
    case 1:
      reaction.effect = hit(plan, "leader", dice);
      break;
    default:
      reaction.effect = hit(plan, "owner(" + vm + ")", dice);
  }
  return reaction;
}

}  // namespace

std::vector<scenario::Reaction> draw_reactions(const Plan& plan, Dice& dice) {
  std::vector<scenario::Reaction> reactions;
  const std::uint64_t most = plan.has_sequences ? 1 : 6;
  const std::uint64_t count = dice.chance(25) ? 0 : dice.between(1, most);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t roll = dice.between(0, 99);
    scenario::Reaction reaction = roll < 60   ? of_migration(plan, dice)
                                  : roll < 75 ? of_leader(plan, dice)
                                  : roll < 88 ? of_node(plan, dice)
                                              : of_vm(plan, dice);
    reaction.delay = draw_delay(dice);
    reaction.times = static_cast<std::uint32_t>(dice.between(1, 5));
    reactions.push_back(std::move(reaction));
  }
  return reactions;
}

}  // namespace failsim::explore
