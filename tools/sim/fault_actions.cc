#include "tools/sim/fault_actions.h"

#include <algorithm>
#include <memory>
#include <optional>

namespace failsim::sim {

World::Evidence evidence_of(const fault::Order& order) {
  return order.value("evidence") == 0 ? World::Evidence::kReported : World::Evidence::kNone;
}

namespace {

using fault::Order;

constexpr Duration kLook = 50 * kMillisecond;  // until a process that ends is gone

// The choice of the parameter "class": all, heartbeat, control, data.
std::optional<Traffic> traffic_of(const Order& order) {
  if (fault::find_parameter(*order.kind, "class") == nullptr) return std::nullopt;
  switch (order.value("class")) {
    case 1:
      return Traffic::kHeartbeat;
    case 2:
      return Traffic::kControl;
    case 3:
      return Traffic::kData;
    default:
      return std::nullopt;
  }
}

LinkRule link_rule(const Order& order) {
  using Does = LinkRule::Does;
  static const std::map<std::string_view, Does> kDoes = {{"link-cut", Does::kCut},
                                                         {"link-hold", Does::kHold},
                                                         {"link-delay", Does::kDelay},
                                                         {"link-loss", Does::kLoss},
                                                         {"link-duplicate", Does::kDuplicate},
                                                         {"link-reorder", Does::kReorder},
                                                         {"link-corrupt", Does::kCorrupt},
                                                         {"link-rate", Does::kRate}};
  LinkRule rule;
  rule.does = kDoes.at(order.kind->name);
  rule.only = traffic_of(order);
  for (const fault::Parameter& parameter : order.kind->parameters) {
    const std::int64_t value = order.value(parameter.name);
    if (parameter.name == "share") rule.per_mille = static_cast<std::uint32_t>(value);
    if (parameter.name == "min") rule.delay_min = value;
    if (parameter.name == "max" || parameter.name == "window") rule.delay_max = value;
    if (parameter.name == "rate") rule.bytes_per_second = static_cast<std::uint64_t>(value);
  }
  return rule;
}

// Links on which a rule could never do anything.
std::optional<Error> link_refused(const Order& order, const LinkRule& rule, const Hit& hit) {
  const bool heartbeats_only =
      rule.does == LinkRule::Does::kDuplicate || rule.does == LinkRule::Does::kReorder;
  const std::string name(order.kind->name);
  if (heartbeats_only && rule.only && *rule.only != Traffic::kHeartbeat) {
    return Error{Code::kInvalidParameter,
                 "The fault " + name + " does nothing to streams, only to heartbeats.",
                 "Leave the class out."};
  }
  for (const auto& [from, to] : hit.links) {
    if (from != kVolumeSite && to != kVolumeSite) continue;
    if (!heartbeats_only && !rule.only) continue;
    return Error{Code::kInvalidParameter,
                 "The fault " + name +
                     " hits nothing on the links of the shared volume: its "
                     "traffic is a stream of no class.",
                 heartbeats_only ? "Use link-delay or link-loss." : "Say class=all."};
  }
  return std::nullopt;
}

std::vector<std::pair<NodeId, NodeId>> both_ways(const std::vector<NodeId>& nodes, NodeId other) {
  std::vector<std::pair<NodeId, NodeId>> links;
  for (const NodeId node : nodes) {
    links.emplace_back(node, other);
    links.emplace_back(other, node);
  }
  return links;
}

}  // namespace

FaultActions::FaultActions(World& world, Inject inject)
    : world_(world), inject_(std::move(inject)) {}

const std::map<std::string_view, FaultActions::Action>& FaultActions::actions() {
  static const std::map<std::string_view, Action> kActions = {
      {"kill", &FaultActions::kill},
      {"power-off", &FaultActions::power_off},
      {"crash-loop", &FaultActions::kill_again_and_again},
      {"terminate", &FaultActions::terminate},
      {"freeze", &FaultActions::freeze},
      {"grey", &FaultActions::grey},
      {"slow-stop", &FaultActions::stop_slowly},
      {"no-descriptors", &FaultActions::open_nothing},
      {"version-skew", &FaultActions::speak_another_version},
      {"link-cut", &FaultActions::rule_links},
      {"link-flap", &FaultActions::flap_links},
      {"isolate", &FaultActions::isolate},
      {"link-hold", &FaultActions::rule_links},
      {"link-delay", &FaultActions::rule_links},
      {"link-loss", &FaultActions::rule_links},
      {"link-duplicate", &FaultActions::rule_links},
      {"link-reorder", &FaultActions::rule_links},
      {"link-corrupt", &FaultActions::rule_links},
      {"link-rate", &FaultActions::rule_links},
      {"link-reset", &FaultActions::reset_links},
      {"api-cut", &FaultActions::cut_clients},
      {"clock-jump", &FaultActions::jump_clock},
      {"clock-strobe", &FaultActions::strobe_clock},
      {"clock-drift", &FaultActions::drift_clock},
      {"timer-late", &FaultActions::delay_timers},
      {"disk-stall", &FaultActions::rule_disks},
      {"disk-slow", &FaultActions::rule_disks},
      {"disk-fail", &FaultActions::rule_disks},
      {"disk-lie", &FaultActions::lie_about_syncs},
      {"disk-replace", &FaultActions::replace_disks},
      {"disk-tear", &FaultActions::power_off},
      {"disk-flip", &FaultActions::flip_bits},
      {"disk-restore", &FaultActions::restore_disks},
      {"disk-swap", &FaultActions::swap_disks},
      {"volume-stall", &FaultActions::rule_volume},
      {"volume-slow", &FaultActions::rule_volume},
      {"volume-restart", &FaultActions::restart_volume},
      {"volume-fail", &FaultActions::rule_volume},
      {"guest-fail", &FaultActions::fail_step},
      {"guest-crash", &FaultActions::crash_guests},
      {"guest-dirty", &FaultActions::dirty_guests},
      {"forget-page", &FaultActions::fail_step},
      {"memory-pressure", &FaultActions::take_memory},
      {"failpoint", &FaultActions::arm}};
  return kActions;
}

bool FaultActions::has(std::string_view kind) {
  return actions().contains(kind);
}

Result<FaultActions::Undo> FaultActions::perform(const Order& order, const Hit& hit) {
  return (this->*actions().at(order.kind->name))(order, hit);
}

// ---- Processes ----------------------------------------------------------------------------------

FaultActions::Undo FaultActions::start_again(const std::vector<NodeId>& nodes) {
  for (const NodeId node : nodes) ++down_[node];
  return [this, nodes] {
    for (const NodeId node : nodes) {
      if (--down_[node] == 0) world_.start(node);
    }
  };
}

// A process that is about to end is waited for.
void FaultActions::start_when_gone(NodeId node, Incarnation gone) {
  if (down_[node] > 0) return;
  const Process* running = world_.process(node);
  if (running == nullptr) return world_.start(node);
  if (running->incarnation() != gone) return;
  world_.queue().after(kLook, [this, node, gone] { start_when_gone(node, gone); });
}

Result<FaultActions::Undo> FaultActions::kill(const Order& order, const Hit& hit) {
  for (const NodeId node : hit.nodes) world_.kill(node, evidence_of(order));
  return start_again(hit.nodes);
}

Result<FaultActions::Undo> FaultActions::power_off(const Order& order, const Hit& hit) {
  for (const NodeId node : hit.nodes) world_.power_off(node, evidence_of(order));
  return start_again(hit.nodes);
}

FaultActions::Undo FaultActions::in_turn(Duration every, std::function<void()> there,
                                         std::function<void()> back) {
  struct Swing {
    std::function<void()> there;
    std::function<void()> back;
    bool is_there = false;
    bool is_over = false;
  };
  const auto swing = std::make_shared<Swing>(Swing{std::move(there), std::move(back)});
  // Held by the queue and the undo alone, not by itself.
  const auto turn = [this, every](const auto& self, const std::shared_ptr<Swing>& of) -> void {
    if (of->is_over) return;
    of->is_there = !of->is_there;
    (of->is_there ? of->there : of->back)();
    world_.queue().after(every / 2, [self, of] { self(self, of); });
  };
  turn(turn, swing);
  return [swing] {
    swing->is_over = true;
    if (swing->is_there) swing->back();
  };
}

Result<FaultActions::Undo> FaultActions::kill_again_and_again(const Order& order, const Hit& hit) {
  const World::Evidence evidence = evidence_of(order);
  return in_turn(
      order.value("every"),
      [this, nodes = hit.nodes, evidence] {
        for (const NodeId node : nodes) {
          ++down_[node];
          world_.kill(node, evidence);
        }
      },
      [this, nodes = hit.nodes] {
        for (const NodeId node : nodes) {
          if (--down_[node] == 0) world_.start(node);
        }
      });
}

Result<FaultActions::Undo> FaultActions::terminate(const Order&, const Hit& hit) {
  std::map<NodeId, Incarnation> leaving;
  for (const NodeId node : hit.nodes) {
    leaving[node] = world_.process(node)->incarnation();
    ++down_[node];
    world_.leave(node);
  }
  return Undo([this, leaving] {
    for (const auto& [node, incarnation] : leaving) {
      --down_[node];
      start_when_gone(node, incarnation);
    }
  });
}

Result<FaultActions::Undo> FaultActions::freeze(const Order&, const Hit& hit) {
  for (const NodeId node : hit.nodes) {
    ++frozen_[node];
    world_.stop(node);
  }
  return Undo([this, nodes = hit.nodes] {
    for (const NodeId node : nodes) {
      if (--frozen_[node] == 0) world_.cont(node);
    }
  });
}

Result<FaultActions::Undo> FaultActions::grey(const Order&, const Hit& hit) {
  std::vector<LinkRule> holds;
  for (const Traffic traffic : {Traffic::kControl, Traffic::kData, Traffic::kVolume}) {
    LinkRule rule;
    rule.does = LinkRule::Does::kHold;
    rule.only = traffic;
    holds.push_back(rule);
  }
  std::vector<std::pair<NodeId, NodeId>> links = both_ways(hit.nodes, kVolumeSite);
  for (const NodeId other : world_.nodes()) {
    for (const auto& link : both_ways(hit.nodes, other)) {
      if (link.first != link.second) links.push_back(link);
    }
  }
  const Undo whole = add_rules(links, holds);
  std::vector<std::pair<NodeId, StorageRules::Id>> stalls;
  for (const NodeId node : hit.nodes) {
    stalls.emplace_back(node, world_.disk(node).add(StorageRule{}));
    world_.cut_clients(node);
  }
  return Undo([this, whole, stalls] {
    whole();
    for (const auto& [node, stall] : stalls) {
      world_.disk(node).remove(stall);
      world_.heal_clients(node);
    }
  });
}

Result<FaultActions::Undo> FaultActions::stop_slowly(const Order& order, const Hit& hit) {
  const auto delay = [this, nodes = hit.nodes](Duration added) {
    for (const NodeId node : nodes) world_.machine(node).stop_delay += added;
  };
  const Duration by = order.value("by");
  delay(by);
  return Undo([delay, by] { delay(-by); });
}

Result<FaultActions::Undo> FaultActions::open_nothing(const Order&, const Hit& hit) {
  LinkRule cut;
  cut.only = Traffic::kData;
  std::vector<std::pair<NodeId, NodeId>> links;
  for (const NodeId other : world_.nodes()) {
    for (const auto& link : both_ways(hit.nodes, other)) {
      if (link.first != link.second) links.push_back(link);
    }
  }
  const Undo whole = add_rules(links, {cut});
  for (const NodeId node : hit.nodes) world_.cut_clients(node);
  return Undo([this, whole, nodes = hit.nodes] {
    whole();
    for (const NodeId node : nodes) world_.heal_clients(node);
  });
}

Result<FaultActions::Undo> FaultActions::speak_another_version(const Order&, const Hit& hit) {
  for (const NodeId node : hit.nodes) ++world_.machine(node).other_versions;
  return Undo([this, nodes = hit.nodes] {
    for (const NodeId node : nodes) --world_.machine(node).other_versions;
  });
}

// ---- Network ------------------------------------------------------------------------------------

FaultActions::Undo FaultActions::add_rules(const std::vector<std::pair<NodeId, NodeId>>& links,
                                           const std::vector<LinkRule>& rules) {
  std::vector<RuleId> added;
  for (const auto& [from, to] : links) {
    for (const LinkRule& rule : rules) added.push_back(world_.network().add(from, to, rule));
  }
  return [this, added] {
    for (const RuleId rule : added) world_.network().remove(rule);
  };
}

Result<FaultActions::Undo> FaultActions::rule_links(const Order& order, const Hit& hit) {
  const LinkRule rule = link_rule(order);
  if (const auto error = link_refused(order, rule, hit)) return *error;
  return add_rules(hit.links, {rule});
}

Result<FaultActions::Undo> FaultActions::flap_links(const Order& order, const Hit& hit) {
  LinkRule cut;
  cut.only = traffic_of(order);
  if (const auto error = link_refused(order, cut, hit)) return *error;
  const auto rules = std::make_shared<std::vector<RuleId>>();
  return in_turn(
      order.value("every"),
      [this, rules, cut, links = hit.links] {
        for (const auto& [from, to] : links) rules->push_back(world_.network().add(from, to, cut));
      },
      [this, rules] {
        for (const RuleId rule : *rules) world_.network().remove(rule);
        rules->clear();
      });
}

Result<FaultActions::Undo> FaultActions::isolate(const Order& order, const Hit& hit) {
  std::vector<std::pair<NodeId, NodeId>> links;
  for (const NodeId other : world_.nodes()) {
    if (std::find(hit.nodes.begin(), hit.nodes.end(), other) != hit.nodes.end()) continue;
    for (const auto& link : both_ways(hit.nodes, other)) links.push_back(link);
  }
  LinkRule cut;
  cut.only = traffic_of(order);
  return add_rules(links, {cut});
}

Result<FaultActions::Undo> FaultActions::reset_links(const Order& order, const Hit& hit) {
  LinkRule rule;
  rule.only = traffic_of(order);
  if (const auto error = link_refused(order, rule, hit)) return *error;
  if (rule.only == Traffic::kHeartbeat) {
    return Error{Code::kInvalidParameter, "Heartbeats have no connection that could be reset.",
                 "Use link-cut or link-loss."};
  }
  for (const auto& [from, to] : hit.links) world_.network().reset(from, to, rule.only);
  return Undo();
}

Result<FaultActions::Undo> FaultActions::cut_clients(const Order&, const Hit& hit) {
  for (const NodeId node : hit.nodes) world_.cut_clients(node);
  return Undo([this, nodes = hit.nodes] {
    for (const NodeId node : nodes) world_.heal_clients(node);
  });
}

}  // namespace failsim::sim
