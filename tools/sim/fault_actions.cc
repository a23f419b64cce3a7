#include "tools/sim/fault_actions.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "cluster/fault/value.h"

namespace failsim::sim {
namespace {

using fault::Order;

constexpr Duration kLook = 50 * kMillisecond;  // until a process that ends is gone

World::Evidence evidence_of(const Order& order) {
  return order.value("evidence") == 0 ? World::Evidence::kReported : World::Evidence::kNone;
}

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

StorageRule storage_rule(const Order& order) {
  using Does = StorageRule::Does;
  const std::string_view name = order.kind->name;
  StorageRule rule;
  rule.does = name.ends_with("-stall")  ? Does::kStall
              : name.ends_with("-slow") ? Does::kSlow
                                        : Does::kFail;
  for (const fault::Parameter& parameter : order.kind->parameters) {
    const std::int64_t value = order.value(parameter.name);
    if (parameter.name == "min") rule.delay_min = value;
    if (parameter.name == "max") rule.delay_max = value;
    if (parameter.name == "error") rule.error = fault::value_text(parameter, value);
    if (parameter.name == "after") rule.bytes_left = static_cast<std::uint64_t>(value);
  }
  return rule;
}

// How long a stall lasts by itself; 0: as long as the fault.
Duration stall_of(const Order& order) {
  return fault::find_parameter(*order.kind, "stall") == nullptr ? 0 : order.value("stall");
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
      {"terminate", &FaultActions::terminate},
      {"freeze", &FaultActions::freeze},
      {"grey", &FaultActions::grey},
      {"link-cut", &FaultActions::rule_links},
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
      {"clock-drift", &FaultActions::drift_clock},
      {"timer-late", &FaultActions::delay_timers},
      {"disk-stall", &FaultActions::rule_disks},
      {"disk-slow", &FaultActions::rule_disks},
      {"disk-fail", &FaultActions::rule_disks},
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

// ---- Clocks -------------------------------------------------------------------------------------

Result<FaultActions::Undo> FaultActions::jump_clock(const Order& order, const Hit& hit) {
  const Duration by = order.value("by");
  for (const NodeId node : hit.nodes) world_.machine(node).clock.jump(by);
  return Undo([this, nodes = hit.nodes, by] {
    for (const NodeId node : nodes) world_.machine(node).clock.jump(-by);
  });
}

Result<FaultActions::Undo> FaultActions::drift_clock(const Order& order, const Hit& hit) {
  const std::int64_t ppm = order.value("ppm") * (order.value("direction") == 0 ? 1 : -1);
  const auto drift = [this, nodes = hit.nodes](std::int64_t added) {
    for (const NodeId node : nodes) {
      world_.machine(node).clock.drift(world_.now(), added);
      world_.clock_changed(node);
    }
  };
  drift(ppm);
  return Undo([drift, ppm] { drift(-ppm); });
}

Result<FaultActions::Undo> FaultActions::delay_timers(const Order& order, const Hit& hit) {
  const auto delay = [this, nodes = hit.nodes](Duration added) {
    for (const NodeId node : nodes) {
      world_.machine(node).clock.delay_timers(added);
      world_.clock_changed(node);
    }
  };
  const Duration by = order.value("by");
  delay(by);
  return Undo([delay, by] { delay(-by); });
}

// ---- Disks --------------------------------------------------------------------------------------

Result<FaultActions::Undo> FaultActions::rule_disks(const Order& order, const Hit& hit) {
  const StorageRule rule = storage_rule(order);
  struct Ruled {
    NodeId node;
    StorageRules::Id rule;
    Incarnation process;
  };
  std::vector<Ruled> ruled;
  for (const NodeId node : hit.nodes) {
    ruled.push_back({node, world_.disk(node).add(rule), world_.process(node)->incarnation()});
  }
  const Undo undo = [this, ruled] {
    for (const Ruled& one : ruled) world_.disk(one.node).remove(one.rule);
  };
  if (const Duration stall = stall_of(order)) world_.queue().after(stall, undo);
  if (rule.does != StorageRule::Does::kFail) return undo;
  return Undo([this, undo, ruled] {
    undo();
    for (const Ruled& one : ruled) {
      const Process* running = world_.process(one.node);
      const bool has_failed = running == nullptr || running->member().is_failed();
      if (has_failed) start_when_gone(one.node, running == nullptr ? 0 : running->incarnation());
    }
  });
}

Result<FaultActions::Undo> FaultActions::rule_volume(const Order& order, const Hit&) {
  const StorageRules::Id rule = world_.volume().add(storage_rule(order));
  const Undo undo = [this, rule] { world_.volume().remove(rule); };
  if (const Duration stall = stall_of(order)) world_.queue().after(stall, undo);
  return undo;
}

Result<FaultActions::Undo> FaultActions::restart_volume(const Order&, const Hit&) {
  world_.volume().restart();
  return Undo();
}

// ---- Guests -------------------------------------------------------------------------------------

Result<FaultActions::Undo> FaultActions::fail_step(const Order& order, const Hit& hit) {
  // In the order of the choices of "step".
  constexpr HostStep kSteps[] = {HostStep::kPrepare, HostStep::kStart, HostStep::kSave,
                                 HostStep::kResume};
  const bool is_page = order.kind->name == "forget-page";
  const HostStep step = is_page ? HostStep::kKeepPage : kSteps[order.value("step")];
  std::vector<std::pair<NodeId, HostFaults::Id>> waiting;
  for (const NodeId node : hit.nodes) {
    waiting.emplace_back(node, world_.machine(node).faults.fail(step));
  }
  return Undo([this, waiting] {
    for (const auto& [node, id] : waiting) world_.machine(node).faults.forget(id);
  });
}

Result<FaultActions::Undo> FaultActions::crash_guests(const Order&, const Hit& hit) {
  std::vector<std::pair<Host*, std::string>> guests;
  for (const std::string& vm : hit.vms) {
    Host* host = nullptr;
    for (const NodeId node : world_.nodes()) {
      Process* running = world_.process(node);
      if (running != nullptr && running->host().has_guest(vm)) host = &running->host();
    }
    if (host == nullptr) {
      return Error{Code::kVmNotRunning, "VM \"" + vm + "\" has no guest now that could crash.",
                   "Start it, or wait until it runs."};
    }
    guests.emplace_back(host, vm);
  }
  for (const auto& [host, vm] : guests) host->crash_guest(vm);
  return Undo();
}

void FaultActions::dirty_rate_changed(const std::string& vm) {
  for (const NodeId node : world_.nodes()) {
    if (Process* running = world_.process(node)) running->host().dirty_rate_changed(vm);
  }
}

Result<FaultActions::Undo> FaultActions::dirty_guests(const Order& order, const Hit& hit) {
  const auto rate = static_cast<std::uint64_t>(order.value("rate"));
  std::vector<std::pair<std::string, DirtyRates::Id>> set;
  for (const std::string& vm : hit.vms) {
    set.emplace_back(vm, world_.dirty_rates().set(vm, rate));
    dirty_rate_changed(vm);
  }
  return Undo([this, set] {
    for (const auto& [vm, id] : set) {
      world_.dirty_rates().forget(vm, id);
      dirty_rate_changed(vm);
    }
  });
}

Result<FaultActions::Undo> FaultActions::take_memory(const Order& order, const Hit& hit) {
  const auto bytes = static_cast<std::uint64_t>(order.value("bytes"));
  for (const NodeId node : hit.nodes) world_.machine(node).faults.take_memory(bytes);
  return Undo([this, nodes = hit.nodes, bytes] {
    for (const NodeId node : nodes) world_.machine(node).faults.give_memory(bytes);
  });
}

// ---- Named points -------------------------------------------------------------------------------

Result<FaultActions::Undo> FaultActions::arm(const Order& order, const Hit&) {
  const std::optional<fault::PointId> point = fault::find_point(order.on.from.names.front());
  assert(point.has_value());
  const Failpoints::Id id = world_.failpoints().arm(
      *point, order.terms,
      [this, lease = order.lease](const fault::Term& term, fault::PointId passed, NodeId node,
                                  const std::string& vm, Passing& passing) {
        perform_term(term, passed, node, vm, lease, passing);
      });
  return Undo([this, id] { world_.failpoints().disarm(id); });
}

void FaultActions::perform_term(const fault::Term& term, fault::PointId point, NodeId node,
                                const std::string& vm, Duration lease, Passing& passing) {
  using Does = fault::Term::Action;
  const std::string name = node_name(node);
  const std::string leased = " for=" + fault::exact_duration(lease);
  const std::string timed = " for=" + fault::exact_duration(std::max(term.duration, kMillisecond));
  world_.trace().note(world_.now(), node, "failpoint", {point}, vm);
  switch (term.action) {
    case Does::kOff:
      return;
    case Does::kKill:
      return inject_("kill " + name + " evidence=silent" + leased);
    case Does::kPowerOff:
      return inject_("power-off " + name + " evidence=silent" + leased);
    case Does::kFreeze:
      return inject_("freeze " + name + timed);
    case Does::kCut:
      return inject_("isolate " + name + timed);
    case Does::kDelay:
      passing.hang = std::max(passing.hang, term.duration);
      return;
    case Does::kCancel:
      return cancel_migration(vm);
    case Does::kReturn:
      break;
  }
  if (term.word == "DROP") {
    passing.is_dropped = true;
  } else if (term.word == "NO_MEMORY") {
    world_.machine(node).faults.fail(HostStep::kFindMemory);
  } else {
    passing.error = term.word;
  }
}

// Asked of whoever answers, outside of the step that passes the point.
void FaultActions::cancel_migration(const std::string& vm) {
  world_.queue().after(0, [this, vm] {
    pb::Request request;
    request.set_client("failpoint");
    request.set_sequence(++requests_);
    request.mutable_cancel_migration()->set_vm(vm);
    for (const NodeId node : world_.nodes()) {
      if (world_.is_stopped(node)) continue;
      if (world_.ask(node, request, [](const pb::Reply&) {})) return;
    }
  });
}

}  // namespace failsim::sim
