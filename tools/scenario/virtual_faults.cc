#include "tools/scenario/virtual_faults.h"

#include <algorithm>

namespace failsim::scenario {
namespace {

class Here : public fault::Surroundings {
 public:
  Here(const sim::World& world, const View& view) : world_(world), view_(view) {}
  std::vector<NodeId> nodes() const override { return world_.nodes(); }
  NodeId leader() const override { return view_.leader(); }
  bool has_vm(const std::string& vm) const override {
    return view_.state() != nullptr && view_.state()->vm(vm) != nullptr;
  }
  NodeId owner(const std::string& vm) const override { return view_.state()->vm(vm)->owner(); }
  NodeId migration_source(const std::string& vm) const override {
    const pb::Task* job = view_.state()->job_of(*view_.state()->vm(vm));
    return job == nullptr ? kNoNode : job->job().source();
  }
  NodeId migration_target(const std::string& vm) const override {
    const pb::Task* job = view_.state()->job_of(*view_.state()->vm(vm));
    return job == nullptr ? kNoNode : job->job().target();
  }

 private:
  const sim::World& world_;
  const View& view_;
};

Error cannot(const fault::Order& order) {
  return {Code::kInvalidParameter,
          "The virtual world cannot perform " + fault::to_text(order) + " yet.",
          "Choose another fault."};
}

}  // namespace

std::function<void()> VirtualFaults::cut(std::vector<std::pair<NodeId, NodeId>> links) {
  for (const auto& [from, to] : links) world_.network().cut(from, to);
  return [this, links] {
    for (const auto& [from, to] : links) world_.network().heal(from, to);
  };
}

std::function<void()> VirtualFaults::harm(const fault::Order& order, NodeId node) {
  const std::string_view kind = order.kind->name;
  const auto start = [this, node] { world_.start(node); };
  if (kind == "freeze") {
    world_.stop(node);
    return [this, node] { world_.cont(node); };
  }
  if (kind == "terminate") {
    world_.leave(node);
    return start;
  }
  if (kind == "disk-stall") {
    const Duration stall = order.value("stall") == 0 ? order.lease : order.value("stall");
    world_.disk(node).stall_until(world_.now() + stall);
    return [this, node] { world_.disk(node).stall_until(0); };
  }
  if (kind == "disk-fail") {
    world_.disk(node).fail_writes();
    return start;
  }
  if (kind == "guest-fail") {
    sim::HostFaults& faults = world_.process(node)->host().faults();
    const std::int64_t step = order.value("step");
    if (step == 0) faults.refuse_prepare = true;
    if (step == 1) faults.fail_start = true;
    if (step == 2) faults.fail_save = true;
    return [this, node] {
      if (world_.is_running(node)) world_.process(node)->host().faults() = sim::HostFaults();
    };
  }
  const auto evidence =
      order.value("evidence") == 0 ? sim::World::Evidence::kReported : sim::World::Evidence::kNone;
  if (kind == "kill") world_.kill(node, evidence);
  if (kind == "power-off") world_.power_off(node, evidence);
  return start;
}

Result<std::function<void()>> VirtualFaults::perform_on_nodes(const fault::Order& order) {
  auto nodes = resolve_nodes(order.on, Here(world_, view_), random_);
  if (!nodes) return nodes.error();
  if (order.kind->name == "isolate") {
    std::vector<std::pair<NodeId, NodeId>> links;
    for (const NodeId node : nodes.value()) {
      for (const NodeId other : world_.nodes()) {
        const auto& inside = nodes.value();
        if (std::find(inside.begin(), inside.end(), other) != inside.end()) continue;
        links.emplace_back(node, other);
        links.emplace_back(other, node);
      }
    }
    return cut(std::move(links));
  }
  constexpr std::string_view kKnown[] = {"kill",       "power-off", "terminate", "freeze",
                                         "disk-stall", "disk-fail", "guest-fail"};
  if (std::find(std::begin(kKnown), std::end(kKnown), order.kind->name) == std::end(kKnown)) {
    return cannot(order);
  }
  std::vector<std::function<void()>> undo;
  for (const NodeId node : nodes.value()) {
    if (!world_.is_running(node)) {
      return Error{Code::kNodeDown, node_name(node) + " is down: there is nothing to hit.",
                   "Start it before, or choose another node."};
    }
  }
  for (const NodeId node : nodes.value()) undo.push_back(harm(order, node));
  return std::function<void()>([undo] {
    for (const auto& one : undo) one();
  });
}

Result<std::function<void()>> VirtualFaults::perform_on_links(const fault::Order& order) {
  auto links = resolve_links(order.on, Here(world_, view_), random_);
  if (!links) return links.error();
  if (order.kind->name == "link-cut" && order.value("class") == 0) return cut(links.take());
  sim::LinkQuality quality;
  if (order.kind->name == "link-cut" && order.value("class") == 1) {
    quality.drops_datagrams = true;
  } else if (order.kind->name == "link-delay") {
    quality.delay_min = order.value("min");
    quality.delay_max = std::max(order.value("max"), quality.delay_min);
  } else if (order.kind->name == "link-loss") {
    quality.loss_per_mille = static_cast<std::uint32_t>(order.value("share"));
  } else {
    return cannot(order);
  }
  for (const auto& [from, to] : links.value()) world_.network().set_quality(from, to, quality);
  return std::function<void()>([this, hit = links.take()] {
    for (const auto& [from, to] : hit) world_.network().reset_quality(from, to);
  });
}

Result<std::function<void()>> VirtualFaults::perform_on_volume(const fault::Order& order) {
  if (order.kind->name == "volume-restart") {
    world_.volume().restart();
    return std::function<void()>([] {});
  }
  if (order.kind->name != "volume-stall") return cannot(order);
  const Duration stall = order.value("stall") == 0 ? order.lease : order.value("stall");
  world_.volume().stall_until(world_.now() + stall);
  return std::function<void()>([this] { world_.volume().stall_until(0); });
}

Result<std::function<void()>> VirtualFaults::perform(const fault::Order& order) {
  if (order.kind->place == fault::Place::kNode) return perform_on_nodes(order);
  if (order.kind->place == fault::Place::kLink) return perform_on_links(order);
  if (order.kind->place == fault::Place::kVolume) return perform_on_volume(order);
  return cannot(order);
}

Result<std::uint64_t> VirtualFaults::inject(const fault::Order& order, const std::string& label) {
  auto undo_it = perform(order);
  if (!undo_it) return undo_it.error();
  const std::uint64_t id = ++last_id_;
  active_[id] = Active{label, undo_it.take()};
  world_.queue().after(order.lease, [this, id] { undo(id); });
  return id;
}

void VirtualFaults::undo(std::uint64_t id) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  const Active gone = std::move(found->second);
  active_.erase(found);
  gone.undo();
}

void VirtualFaults::heal(const std::string& label) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, active] : active_) {
    if (label.empty() || active.label == label) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) undo(id);
}

bool VirtualFaults::is_active(const std::string& label) const {
  return std::any_of(active_.begin(), active_.end(),
                     [&](const auto& entry) { return entry.second.label == label; });
}

}  // namespace failsim::scenario
