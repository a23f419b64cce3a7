#include "tools/sim/injector.h"

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

#include "cluster/fault/failpoint.h"

namespace failsim::sim {
namespace {

std::string text_of(NodeId end) {
  return end == kVolumeSite ? "volume" : node_name(end);
}

std::string text_of(const fault::Order& order, const Hit& hit) {
  std::string text;
  const auto add = [&text](const std::string& one) { text += (text.empty() ? "" : ", ") + one; };
  for (const NodeId node : hit.nodes) add(node_name(node));
  for (const auto& [from, to] : hit.links) add(text_of(from) + "->" + text_of(to));
  for (const std::string& vm : hit.vms) add(vm);
  if (order.kind->place == fault::Place::kVolume) add("volume");
  if (order.kind->place == fault::Place::kPoint) add(to_text(order.on));
  return text;
}

// The nodes that the fault is about, the shared volume among them.
std::vector<NodeId> concerned(const fault::Order& order, const Hit& hit) {
  std::set<NodeId> nodes(hit.nodes.begin(), hit.nodes.end());
  for (const auto& [from, to] : hit.links) nodes.insert({from, to});
  if (order.kind->place == fault::Place::kVolume) nodes.insert(kVolumeSite);
  return {nodes.begin(), nodes.end()};
}

// Kinds that take a node out of the quorum while they last.
bool takes_out(const fault::Kind& kind) {
  static const std::set<std::string_view> kKinds = {
      "freeze",    "grey",         "isolate",   "disk-stall", "disk-fail", "disk-replace",
      "disk-flip", "disk-restore", "disk-swap", "crash-loop", "disk-lie",  "version-skew"};
  return kKinds.contains(kind.name);
}

}  // namespace

Injector::Injector(World& world, std::uint64_t seed)
    : world_(world), random_(seed), actions_(world, [this](const std::string& line) {
        // Of a failpoint: refused when, for example, the node is dead already.
        const Result<fault::Order> order = fault::parse_order(line);
        assert(order.ok());
        const Result<FaultId> injected = inject(order.value());
        if (!injected) {
          world_.trace().note(world_.now(), kNoNode, "refused", {}, injected.error().message);
        }
      }) {}

// ---- Surroundings -------------------------------------------------------------------------------

const ClusterState* Injector::state() const {
  const Member* furthest = world_.furthest();
  return furthest == nullptr ? nullptr : &furthest->state();
}

NodeId Injector::leader() const {
  return world_.leader(World::Leads::kAtAll);
}

bool Injector::has_vm(const std::string& vm) const {
  return state() != nullptr && state()->vm(vm) != nullptr;
}

NodeId Injector::owner(const std::string& vm) const {
  return state()->vm(vm)->owner();
}

const pb::MigrationJob* Injector::migration(const std::string& vm) const {
  const pb::Task* task = state()->job_of(*state()->vm(vm));
  return task == nullptr ? nullptr : &task->job();
}

NodeId Injector::migration_source(const std::string& vm) const {
  const pb::MigrationJob* job = migration(vm);
  return job == nullptr ? kNoNode : job->source();
}

NodeId Injector::migration_target(const std::string& vm) const {
  const pb::MigrationJob* job = migration(vm);
  return job == nullptr ? kNoNode : job->target();
}

// ---- What is hit --------------------------------------------------------------------------------

// A node that is named has to be up; of a role or a share, those that are up are hit.
Result<std::vector<NodeId>> Injector::resolve_running(const fault::Order& order) {
  Result<std::vector<NodeId>> resolved = fault::resolve_nodes(order.on, *this, random_);
  if (!resolved) return resolved.error();
  const bool is_named = order.on.from.role == fault::Members::Role::kNames;
  std::vector<NodeId> running;
  for (const NodeId node : resolved.value()) {
    if (world_.is_running(node)) {
      running.push_back(node);
    } else if (is_named) {
      return Error{Code::kNodeDown,
                   node_name(node) + " is down, so the fault " + std::string(order.kind->name) +
                       " has nothing to hit there.",
                   "Start the node first, or name another one."};
    }
  }
  if (!running.empty()) return running;
  return Error{Code::kNodeDown, "Of \"" + to_text(order.on) + "\" no node is up.",
               "Start a node first."};
}

Result<Hit> Injector::resolve(const fault::Order& order) {
  Hit hit;
  switch (order.kind->place) {
    case fault::Place::kNode: {
      Result<std::vector<NodeId>> nodes = resolve_running(order);
      if (!nodes) return nodes.error();
      hit.nodes = nodes.take();
      break;
    }
    case fault::Place::kLink: {
      auto links = fault::resolve_links(order.on, *this, random_);
      if (!links) return links.error();
      hit.links = links.take();
      break;
    }
    case fault::Place::kGuest: {
      auto vms = fault::resolve_vms(order.on, *this);
      if (!vms) return vms.error();
      hit.vms = vms.take();
      break;
    }
    case fault::Place::kVolume:
    case fault::Place::kPoint:
    case fault::Place::kCluster:
      break;
  }
  return hit;
}

bool Injector::is_out(NodeId node) const {
  if (!world_.is_running(node) || world_.is_stopped(node)) return true;
  return std::any_of(in_force_.begin(), in_force_.end(), [node](const auto& entry) {
    const InForce& fault = entry.second;
    return takes_out(*fault.kind) &&
           std::find(fault.nodes.begin(), fault.nodes.end(), node) != fault.nodes.end();
  });
}

// So many nodes that the others, without those that are out already, are still a quorum.
std::optional<Error> Injector::weaken(const fault::Order& order, Hit& hit,
                                      std::string& weakened) const {
  if (!order.survivable) return std::nullopt;
  const std::size_t all = world_.nodes().size();
  const auto out = static_cast<std::size_t>(std::count_if(
      world_.nodes().begin(), world_.nodes().end(), [this](NodeId node) { return is_out(node); }));
  std::size_t spare = all - (all / 2 + 1);
  spare -= std::min(spare, out);
  std::vector<NodeId> left;
  for (const NodeId node : hit.nodes) {
    if (is_out(node)) {
      left.push_back(node);  // no worse than it is
    } else if (spare > 0) {
      left.push_back(node);
      --spare;
    }
  }
  if (left.empty()) {
    return Error{Code::kNoQuorum,
                 "The quorum survives no more: " + std::to_string(out) + " of " +
                     std::to_string(all) + " nodes are out already.",
                 "Heal a fault first, or leave survivable out."};
  }
  if (left.size() < hit.nodes.size()) {
    weakened = "Hits " + std::to_string(left.size()) + " instead of " +
               std::to_string(hit.nodes.size()) + " nodes: the quorum survives no more.";
    hit.nodes = left;
  }
  return std::nullopt;
}

// ---- Faults -------------------------------------------------------------------------------------

Result<FaultId> Injector::inject(const fault::Order& order) {
  if (!order.kind->in_virtual.is_performed) {
    return Error{Code::kInvalidParameter,
                 "The virtual world cannot do " + std::string(order.kind->name) + ": " +
                     std::string(order.kind->in_virtual.reason) + ".",
                 "Use a cluster of processes."};
  }
  Result<Hit> resolved = resolve(order);
  if (!resolved) return resolved.error();
  Hit hit = resolved.take();
  std::string weakened;
  if (const auto error = weaken(order, hit, weakened)) return *error;
  Result<FaultActions::Undo> undo = actions_.perform(order, hit);
  if (!undo) return undo.error();
  const FaultId id = ++last_;
  ++injected_[std::string(order.kind->name)];
  world_.trace().note(world_.now(), kNoNode, "fault", {id},
                      to_text(order) + " (" + text_of(order, hit) + ")");
  const std::uint64_t told = world_.checker().fault_injected(to_text(order), concerned(order, hit));
  // What only strikes is over at once; what it did is seen where it struck.
  if (!undo.value() || !order.kind->lasts) world_.checker().fault_healed(told);
  if (undo.value()) {
    keep(id, order, hit, weakened, undo.take());
    in_force_.at(id).told = told;
  }
  return id;
}

void Injector::keep(FaultId id, const fault::Order& order, const Hit& hit,
                    const std::string& weakened, FaultActions::Undo undo) {
  const Time until = world_.now() + order.lease;
  in_force_[id] = InForce{{id, to_text(order), text_of(order, hit), weakened, world_.now(), until},
                          order.kind,
                          hit.nodes,
                          std::move(undo)};
  world_.queue().at(until, [this, id] { heal(id); });
}

std::optional<Error> Injector::heal(FaultId id) {
  auto found = in_force_.extract(id);
  if (found.empty()) {
    return Error{Code::kNotFound, "No fault " + std::to_string(id) + " is in force.",
                 "List the faults; its lease may be over."};
  }
  world_.trace().note(world_.now(), kNoNode, "healed", {id});
  found.mapped().undo();
  world_.checker().fault_healed(found.mapped().told);
  return std::nullopt;
}

void Injector::heal_all() {
  while (!in_force_.empty()) heal(in_force_.begin()->first);
}

std::vector<ActiveFault> Injector::list() const {
  std::vector<ActiveFault> listed;
  for (const auto& [id, fault] : in_force_) listed.push_back(fault.shown);
  return listed;
}

std::map<std::string, std::uint64_t> Injector::hits() const {
  std::map<std::string, std::uint64_t> hits;
  const std::span<const std::string> names = fault::point_names();
  for (fault::PointId point = 0; point < names.size(); ++point) {
    hits[names[point]] = world_.failpoints().hits(point);
  }
  return hits;
}

}  // namespace failsim::sim
