#include "tools/explore/weaken.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>

namespace failsim::explore {
namespace {

using scenario::Scenario;

constexpr Duration kUsualRecovery = 20 * kSecond;

// Collects variants of one scenario.
class Variants {
 public:
  explicit Variants(const Scenario& original) : original_(original) {}

  // The variant that `change` makes, unless it changes nothing.
  void add(const std::function<bool(Scenario&)>& change) {
    Scenario variant = original_;
    if (change(variant)) variants_.push_back(std::move(variant));
  }
  std::vector<Scenario> take() { return std::move(variants_); }

 private:
  const Scenario& original_;
  std::vector<Scenario> variants_;
};

template <typename T>
bool change(T& field, const T& value) {
  if (field == value) return false;
  field = value;
  return true;
}

// The longest of the round lengths below it, at least half as short where possible.
Duration shorter(Duration length) {
  constexpr Duration kRound[] = {5 * kMillisecond,   10 * kMillisecond,  20 * kMillisecond,
                                 50 * kMillisecond,  100 * kMillisecond, 200 * kMillisecond,
                                 500 * kMillisecond, 1 * kSecond,        2 * kSecond,
                                 5 * kSecond,        10 * kSecond,       20 * kSecond,
                                 60 * kSecond};
  Duration best = length;
  for (const Duration round : kRound) {
    if (round < length) best = round;
  }
  return best;
}

void weaken_order(Variants& variants, const fault::Order& order,
                  const std::function<fault::Order&(Scenario&)>& in) {
  const Duration lease = shorter(order.lease);
  variants.add([&](Scenario& weaker) { return change(in(weaker).lease, lease); });
  for (std::size_t i = 0; i < order.values.size(); ++i) {
    const fault::Parameter& parameter = order.kind->parameters[i];
    if (parameter.unit == fault::Unit::kChoice) continue;  // none is less than another
    const std::int64_t least = parameter.fallback.value_or(parameter.minimum);
    const std::int64_t half = least + (order.values[i] - least) / 2;
    if (order.values[i] - least > 1) {
      variants.add([&](Scenario& weaker) { return change(in(weaker).values[i], half); });
    }
  }
}

void weaken_effect(Variants& variants, const scenario::Effect& effect,
                   const std::function<scenario::Effect&(Scenario&)>& in) {
  if (const auto* inject = std::get_if<scenario::Inject>(&effect)) {
    weaken_order(variants, inject->order, [&](Scenario& weaker) -> fault::Order& {
      return std::get<scenario::Inject>(in(weaker)).order;
    });
  }
  if (const auto* pause = std::get_if<scenario::Pause>(&effect)) {
    const Duration less = shorter(pause->duration);
    variants.add([&, less](Scenario& weaker) {
      return change(std::get<scenario::Pause>(in(weaker)).duration, less);
    });
  }
  if (const auto* asked = std::get_if<scenario::Do>(&effect)) {
    for (const auto& [option, value] : asked->action.options) {
      variants.add([&, name = option](Scenario& weaker) {
        scenario::Action& action = std::get<scenario::Do>(in(weaker)).action;
        action.options.erase(name);
        return scenario::parse_action(to_text(action)).ok();  // some are required
      });
    }
  }
}

// A step may come earlier, at a rounder time, but not before the one before it.
void round_time(Variants& variants, const Scenario& scenario, std::size_t at) {
  if (!scenario.steps[at].at) return;
  const Time before = at == 0 ? 0 : scenario.steps[at - 1].at.value_or(0);
  for (const Duration grid : {kSecond, 100 * kMillisecond, 10 * kMillisecond}) {
    const Time rounded = *scenario.steps[at].at / grid * grid;
    if (rounded < before || rounded == *scenario.steps[at].at) continue;
    variants.add([&](Scenario& rounder) {
      rounder.steps[at].at = rounded;
      return true;
    });
  }
}

bool remove_node(Scenario& scenario) {
  if (scenario.topology.nodes <= 1) return false;
  const std::string gone = "node-" + std::to_string(scenario.topology.nodes--);
  std::erase(scenario.left_broken, gone);
  for (scenario::Vm& vm : scenario.vms) {
    if (vm.owner == gone) vm.owner.clear();
  }
  return true;
}

}  // namespace

std::vector<Scenario> smaller_clusters(const Scenario& scenario) {
  Variants variants(scenario);
  variants.add([](Scenario& smaller) { return change(smaller.writers, 0u); });
  // No less than what scenarios ask for: with too little time nothing recovers.
  variants.add([](Scenario& smaller) {
    return smaller.recovery > kUsualRecovery && change(smaller.recovery, kUsualRecovery);
  });
  variants.add([](Scenario& smaller) {
    const bool is_damaged = !smaller.left_broken.empty();
    smaller.left_broken.clear();
    return is_damaged;
  });
  for (std::size_t i = 0; i < scenario.vms.size(); ++i) {
    variants.add([i](Scenario& smaller) {
      smaller.vms.erase(smaller.vms.begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    });
  }
  variants.add([](Scenario& smaller) { return remove_node(smaller) && remove_node(smaller); });
  variants.add(remove_node);
  // The worlds that all scenarios begin with.
  const scenario::Topology plain;
  for (const auto& [name, value] : scenario.topology.settings) {
    variants.add([name = name](Scenario& smaller) {
      // A cluster with the heartbeats of its tests, not with those of a slow network.
      if (name == "SameSubnetDelay") return false;
      if (name != "SameSubnetThreshold") return smaller.topology.settings.erase(name) > 0;
      return change(smaller.topology.settings[name], std::string("3"));
    });
  }
  variants.add([&](Scenario& smaller) {
    return change(smaller.topology.link_loss_per_mille, plain.link_loss_per_mille);
  });
  variants.add([&](Scenario& smaller) {
    return change(smaller.topology.link_duplicate_per_mille, plain.link_duplicate_per_mille);
  });
  variants.add([&](Scenario& smaller) {
    return change(smaller.topology.link_delay_max, plain.link_delay_max);
  });
  variants.add([&](Scenario& smaller) {
    return change(smaller.topology.link_bytes_per_second, plain.link_bytes_per_second);
  });
  variants.add([&](Scenario& smaller) {
    return change(smaller.topology.disk_sync_max, plain.disk_sync_max);
  });
  variants.add([&](Scenario& smaller) {
    return change(smaller.topology.guest_quantum, plain.guest_quantum);
  });
  variants.add([&](Scenario& smaller) {
    return change(smaller.topology.compact_every, plain.compact_every);
  });
  variants.add([&](Scenario& smaller) {
    return change(smaller.topology.node_memory_bytes, plain.node_memory_bytes);
  });
  return variants.take();
}

std::vector<Scenario> weakenings(const Scenario& scenario) {
  Variants variants(scenario);
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) {
    weaken_effect(variants, scenario.steps[i].effect,
                  [i](Scenario& weaker) -> scenario::Effect& { return weaker.steps[i].effect; });
    round_time(variants, scenario, i);
  }
  for (std::size_t i = 0; i < scenario.reactions.size(); ++i) {
    weaken_effect(
        variants, scenario.reactions[i].effect,
        [i](Scenario& weaker) -> scenario::Effect& { return weaker.reactions[i].effect; });
    variants.add([i](Scenario& weaker) { return change(weaker.reactions[i].times, 1u); });
    variants.add([i](Scenario& weaker) { return change(weaker.reactions[i].delay, Duration{0}); });
    if (scenario.reactions[i].delay > 10 * kMillisecond) {
      variants.add([i](Scenario& weaker) {
        weaker.reactions[i].delay = shorter(weaker.reactions[i].delay);
        return true;
      });
    }
  }
  return variants.take();
}

}  // namespace failsim::explore
