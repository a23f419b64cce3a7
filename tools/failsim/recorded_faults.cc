#include "tools/failsim/recorded_faults.h"

#include <algorithm>
#include <optional>

#include "cluster/fault/nodes_by_name.h"
#include "cluster/fault/selector.h"
#include "cluster/random.h"

namespace failsim::cli {
namespace {

using fault::Order;
using fault::Place;

constexpr std::int64_t kAllTraffic = 0;
constexpr std::int64_t kControlTraffic = 2;

std::optional<Order> order_of(const pb::Observation::FaultBegan& began) {
  const Result<Order> order = fault::parse_order(began.order());
  if (!order) return std::nullopt;  // of another build
  return order.value();
}

std::set<NodeId> concerned(const Order& order, const std::vector<NodeId>& nodes) {
  const fault::NodesByName names(nodes);
  Random unused(0);
  std::set<NodeId> concerned;
  if (order.kind->place == Place::kNode) {
    const auto hit = fault::resolve_nodes(order.on, names, unused);
    if (hit) concerned.insert(hit.value().begin(), hit.value().end());
  } else if (order.kind->place == Place::kLink) {
    const auto links = fault::resolve_links(order.on, names, unused);
    if (!links) return concerned;
    for (const auto& [from, to] : links.value()) concerned.insert({from, to});
  } else if (order.kind->place == Place::kVolume) {
    concerned.insert(fault::kVolumeEnd);
  }
  return concerned;
}

}  // namespace

void RecordedFaults::expect(const handover::Process& performer,
                            const pb::Observation::FaultBegan& began) {
  Fault& fault = faults_[began.id()];
  fault.orders.insert(began.order());
  if (performer.node != kNoNode) fault.concerns.insert(performer.node);
  const auto order = order_of(began);
  if (!order) return;
  fault.concerns.merge(concerned(*order, nodes_));
}

std::string RecordedFaults::text_of(const Fault& fault) {
  std::string text = *fault.orders.begin();
  if (fault.orders.size() > 1)
    text += " (and " + std::to_string(fault.orders.size() - 1) + " more)";
  return text;
}

void RecordedFaults::began(const handover::Process& performer,
                           const pb::Observation::FaultBegan& began) {
  Fault& fault = faults_[began.id()];
  if (fault.told_as == 0) {
    fault.told_as =
        checker_.fault_injected(text_of(fault), {fault.concerns.begin(), fault.concerns.end()});
  }
  const auto order = order_of(began);
  if (!order) return;
  fault.parts.emplace(performer, *order);
  act(performer, *order, true);
}

void RecordedFaults::ended(const handover::Process& performer, std::uint64_t id) {
  const auto found = faults_.find(id);
  if (found == faults_.end()) return;
  Fault& fault = found->second;
  const auto part = fault.parts.extract(performer);
  if (!part.empty()) act(performer, part.mapped(), false);
  if (!fault.parts.empty() || fault.told_as == 0) return;
  checker_.fault_healed(fault.told_as);
  faults_.erase(found);
}

void RecordedFaults::process_ended(const handover::Process& process) {
  running_.erase(process.node);
  std::vector<std::uint64_t> mine;
  for (const auto& [id, fault] : faults_) {
    if (fault.parts.contains(process)) mine.push_back(id);
  }
  for (const std::uint64_t id : mine) ended(process, id);
}

// What a fault does beyond being one.
void RecordedFaults::act(const handover::Process& performer, const Order& order, bool begins) {
  const std::string_view kind = order.kind->name;
  if (kind == "clock-drift") {
    const std::int64_t ppm =
        order.value("direction") == 0 ? order.value("ppm") : -order.value("ppm");
    checker_.clock_rate(performer.node, begins ? ppm : 0);
  }
  if (kind == "freeze") {
    for (const NodeId node : concerned(order, nodes_)) {
      if (!running_.contains(node)) continue;
      if (begins) checker_.tell(history::ProcessStopped{node});
      if (!begins) checker_.tell(history::ProcessContinued{node});
    }
  }
  for (const Link& link : cut_links(performer.node, order)) change_link(link, begins);
}

// Links over which the log says nothing any more: as the switchboard of that node has it, or as the
// launcher (no node) cuts them for all.
std::vector<RecordedFaults::Link> RecordedFaults::cut_links(NodeId self, const Order& order) const {
  const std::string_view kind = order.kind->name;
  if (kind != "link-cut" && kind != "link-hold" && kind != "isolate") return {};
  const std::int64_t traffic = order.value("class");
  if (traffic != kAllTraffic && traffic != kControlTraffic) return {};
  std::vector<Link> links;
  const auto performs_for = [self](NodeId node) { return self == kNoNode || self == node; };
  if (kind == "isolate") {
    const std::set<NodeId> isolated = concerned(order, nodes_);
    for (const NodeId node : isolated) {
      if (!performs_for(node)) continue;
      for (const NodeId other : nodes_) {
        if (isolated.contains(other)) continue;
        links.insert(links.end(), {{node, other}, {other, node}});
      }
    }
    return links;
  }
  Random unused(0);
  const auto resolved = fault::resolve_links(order.on, fault::NodesByName(nodes_), unused);
  if (!resolved) return {};
  for (const Link& link : resolved.value()) {
    const bool is_volume = link.first == fault::kVolumeEnd || link.second == fault::kVolumeEnd;
    if (performs_for(link.first) && !is_volume) links.push_back(link);
  }
  return links;
}

void RecordedFaults::change_link(const Link& link, bool cuts) {
  int& count = cuts_[link];
  const bool was_cut = count > 0;
  count += cuts ? 1 : -1;
  const bool is_cut = count > 0;
  if (was_cut != is_cut) checker_.tell(history::LinkChanged{link.first, link.second, !is_cut});
}

}  // namespace failsim::cli
