// Faults of a machine: its clocks, its disk, its hypervisor; the shared volume; the named points.
#include <algorithm>
#include <cassert>
#include <optional>

#include "cluster/fault/value.h"
#include "cluster/membership/process_start.h"
#include "tools/sim/fault_actions.h"

namespace failsim::sim {
namespace {

using fault::Order;

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

}  // namespace

// ---- Clocks -------------------------------------------------------------------------------------

Result<FaultActions::Undo> FaultActions::jump_clock(const Order& order, const Hit& hit) {
  const Duration by = order.value("by");
  for (const NodeId node : hit.nodes) world_.machine(node).clock.jump(by);
  return Undo([this, nodes = hit.nodes, by] {
    for (const NodeId node : nodes) world_.machine(node).clock.jump(-by);
  });
}

Result<FaultActions::Undo> FaultActions::strobe_clock(const Order& order, const Hit& hit) {
  const auto jump = [this, nodes = hit.nodes](Duration by) {
    for (const NodeId node : nodes) world_.machine(node).clock.jump(by);
  };
  const Duration by = order.value("by");
  return in_turn(
      order.value("every"), [jump, by] { jump(by); }, [jump, by] { jump(-by); });
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

FaultActions::Undo FaultActions::change_disks(const Order& order, const Hit& hit,
                                              const std::function<void(NodeId)>& change,
                                              const std::function<void(Disk&)>& undo) {
  const World::Evidence evidence = evidence_of(order);
  for (const NodeId node : hit.nodes) world_.power_off(node, evidence);
  for (const NodeId node : hit.nodes) {
    change(node);
    world_.checker().tell(history::DiskReplaced{node});
  }
  for (const NodeId node : hit.nodes) world_.start(node);
  return [this, nodes = hit.nodes, evidence, undo] {
    for (const NodeId node : nodes) {
      world_.power_off(node, evidence);
      undo(world_.disk(node));
      world_.checker().tell(history::DiskReplaced{node});
      if (down_[node] == 0) world_.start(node);
    }
  };
}

namespace {

// One change of a store at a time: what it is taken back to has to be the node's own.
std::optional<Error> changed_already(World& world, const Hit& hit) {
  for (const NodeId node : hit.nodes) {
    const Disk& disk = world.disk(node);
    if (!disk.is_replaced() && !disk.is_flipped() && !disk.is_lying()) continue;
    return Error{Code::kInvalidState,
                 "The disk of " + node_name(node) + " is replaced, damaged or lying already.",
                 "Heal that fault first, or name another node."};
  }
  return std::nullopt;
}

}  // namespace

// A quorum of liars could forget anything without a trace.
Result<FaultActions::Undo> FaultActions::lie_about_syncs(const Order&, const Hit& hit) {
  if (const auto error = changed_already(world_, hit)) return *error;
  const std::vector<NodeId>& nodes = world_.nodes();
  const auto lies = [&](NodeId node) {
    return world_.disk(node).is_lying() ||
           std::find(hit.nodes.begin(), hit.nodes.end(), node) != hit.nodes.end();
  };
  const auto lying = static_cast<std::size_t>(std::count_if(nodes.begin(), nodes.end(), lies));
  if (lying >= nodes.size() / 2 + 1) {
    return Error{Code::kInvalidState,
                 "The disks of " + std::to_string(lying) +
                     " nodes would lie, which is a quorum: what was acknowledged may be lost, and "
                     "no protocol could prevent it.",
                 "Name fewer nodes."};
  }
  for (const NodeId node : hit.nodes) world_.disk(node).lie();
  return Undo([this, listed = hit.nodes] {
    for (const NodeId node : listed) {
      Disk& disk = world_.disk(node);
      disk.stop_lying();
      if (!disk.is_replaced()) continue;
      const Process* running = world_.process(node);
      if (running != nullptr && !running->member().is_failed()) {
        disk.forget_replaced();
        continue;
      }
      world_.power_off(node, World::Evidence::kReported);
      disk.put_back();
      world_.checker().tell(history::DiskReplaced{node});
      if (down_[node] == 0) world_.start(node);
    }
  });
}

Result<FaultActions::Undo> FaultActions::replace_disks(const Order& order, const Hit& hit) {
  if (const auto error = changed_already(world_, hit)) return *error;
  return change_disks(
      order, hit, [this](NodeId node) { world_.disk(node).replace(); },
      [](Disk& disk) { disk.put_back(); });
}

Result<FaultActions::Undo> FaultActions::flip_bits(const Order& order, const Hit& hit) {
  if (const auto error = changed_already(world_, hit)) return *error;
  const auto part = order.value("part") == 0 ? Disk::Part::kLog : Disk::Part::kTable;
  return change_disks(
      order, hit, [this, part](NodeId node) { world_.disk(node).flip_bit(part); },
      [](Disk& disk) { disk.flip_back(); });
}

// The others can tell an older copy only if enough of them have heard of a later start: of a
// majority one has to know, whatever else fails.
std::optional<Error> FaultActions::restore_refused(NodeId node, std::size_t age,
                                                   const std::vector<NodeId>& hit) const {
  if (age > world_.disk(node).copies()) {
    return Error{Code::kInvalidState,
                 node_name(node) + " has started only " +
                     std::to_string(world_.disk(node).copies()) +
                     " times on this disk, so there is no older copy of it.",
                 "Give a smaller age."};
  }
  const std::uint64_t next_start = world_.disk(node).starts() + 1 - age;
  const std::vector<NodeId>& nodes = world_.nodes();
  const auto knows = [&](NodeId other) {
    if (std::find(hit.begin(), hit.end(), other) != hit.end()) return false;
    if (!world_.is_running(other) || world_.disk(other).is_replaced()) return false;
    const pb::Node* row = world_.member(other).state().node(node);
    return row != nullptr && start_of(row->incarnation()) >= next_start;
  };
  const auto knowing = static_cast<std::size_t>(std::count_if(nodes.begin(), nodes.end(), knows));
  if (nodes.size() - knowing < nodes.size() / 2 + 1) return std::nullopt;
  return Error{Code::kInvalidState,
               "Only " + std::to_string(knowing) + " of the other nodes know that " +
                   node_name(node) +
                   " has started since the copy was made, so the rest of them would take its word: "
                   "what was acknowledged may be lost, and no protocol could prevent it.",
               "Wait until the others have caught up, or name fewer nodes."};
}

Result<FaultActions::Undo> FaultActions::restore_disks(const Order& order, const Hit& hit) {
  if (const auto error = changed_already(world_, hit)) return *error;
  const auto age = static_cast<std::size_t>(order.value("age"));
  for (const NodeId node : hit.nodes) {
    if (const auto error = restore_refused(node, age, hit.nodes)) return *error;
  }
  return change_disks(
      order, hit, [this, age](NodeId node) { world_.disk(node).restore(age); },
      [](Disk& disk) { disk.put_back(); });
}

Result<FaultActions::Undo> FaultActions::swap_disks(const Order& order, const Hit& hit) {
  if (const auto error = changed_already(world_, hit)) return *error;
  if (hit.nodes.size() < 2) {
    return Error{Code::kInvalidParameter,
                 "The fault disk-swap needs two nodes: a store has no other place to go.",
                 "Name them, as in: disk-swap node-1,node-2"};
  }
  const auto next = [nodes = hit.nodes](NodeId node) {
    const auto found = std::find(nodes.begin(), nodes.end(), node) + 1;
    return found == nodes.end() ? nodes.front() : *found;
  };
  return change_disks(
      order, hit,
      [this, next](NodeId node) { world_.disk(node).place_copy_of(world_.disk(next(node))); },
      [](Disk& disk) { disk.put_back(); });
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
