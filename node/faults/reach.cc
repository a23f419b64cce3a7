#include "node/faults/reach.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "cluster/fault/nodes_by_name.h"
#include "cluster/fault/selector.h"
#include "cluster/random.h"

namespace failsim::node {
namespace {

using fault::Members;
using fault::Place;

// What a node process does itself; the launcher does the rest of what processes can.
constexpr std::array<std::string_view, 24> kPerformed = {
    "slow-stop",   "version-skew", "link-cut",       "isolate",        "link-hold",
    "link-delay",  "link-loss",    "link-duplicate", "link-reorder",   "link-corrupt",
    "link-rate",   "link-reset",   "clock-drift",    "timer-late",     "disk-stall",
    "disk-slow",   "disk-fail",    "volume-slow",    "volume-fail",    "guest-fail",
    "guest-crash", "guest-dirty",  "forget-page",    "memory-pressure"};

bool is_performed(std::string_view kind) {
  return std::find(kPerformed.begin(), kPerformed.end(), kind) != kPerformed.end();
}

bool names_itself(const Members& members) {
  return members.role == Members::Role::kNames || members.role == Members::Role::kAll ||
         members.role == Members::Role::kVolume;
}

Error refused(const std::string& message, const std::string& next) {
  return {Code::kInvalidParameter, message, next};
}

Error not_here(const fault::Order& order, NodeId self, const std::string& next) {
  return refused(
      "The fault " + fault::to_text(order) + " does not concern " + node_name(self) + ".", next);
}

// The links to the volume carry requests and answers in order, and nothing else.
std::optional<Error> refuse_volume_link(const fault::Order& order) {
  const std::string_view kind = order.kind->name;
  const bool has_class = fault::find_parameter(*order.kind, "class") != nullptr;
  if (kind == "link-cut" || kind == "link-hold" || kind == "link-delay" || kind == "link-loss" ||
      kind == "link-rate") {
    const bool is_default = kind == "link-rate" || !has_class || order.value("class") == 0;
    if (is_default) return std::nullopt;
    return refused("The link to the shared volume has no classes of traffic.", "Leave class out.");
  }
  return Error{Code::kInvalidState,
               "The fault " + std::string(kind) +
                   " is not performed on the link between a node process and the shared volume.",
               "Use link-cut, link-hold, link-delay, link-loss or link-rate there."};
}

Result<Reach> reach_of_links(const fault::Order& order, NodeId self,
                             const std::vector<NodeId>& nodes) {
  Random unused(0);
  const auto links = fault::resolve_links(order.on, fault::NodesByName(nodes), unused);
  if (!links) return links.error();
  Reach reach;
  for (const auto& [from, to] : links.value()) {
    const bool is_volume = from == fault::kVolumeEnd || to == fault::kVolumeEnd;
    if (is_volume) {
      if (auto error = refuse_volume_link(order)) return *error;
    }
    if (from == self || (from == fault::kVolumeEnd && to == self))
      reach.links.push_back({from, to});
  }
  if (reach.links.empty()) return not_here(order, self, "Inject it at the node that sends.");
  return reach;
}

// Its links to those that are not hit with it, both ways.
Result<Reach> reach_of_node(const fault::Order& order, NodeId self,
                            const std::vector<NodeId>& nodes) {
  Random unused(0);
  const auto hit = fault::resolve_nodes(order.on, fault::NodesByName(nodes), unused);
  if (!hit) return hit.error();
  const auto is_hit = [&hit](NodeId node) {
    return std::find(hit.value().begin(), hit.value().end(), node) != hit.value().end();
  };
  if (!is_hit(self)) return not_here(order, self, "Inject it at the node it is to hit.");
  Reach reach;
  for (const NodeId node : nodes) {
    if (is_hit(node)) continue;
    reach.links.push_back({self, node});
    reach.links.push_back({node, self});
  }
  return reach;
}

}  // namespace

Result<Reach> reach_of(const fault::Order& order, NodeId self, const std::vector<NodeId>& nodes) {
  const std::string kind(order.kind->name);
  if (!is_performed(kind)) {
    return Error{Code::kInvalidState, "The fault " + kind + " is not one of a node process.",
                 "Inject it with: failsim fault inject " + kind};
  }
  if (!names_itself(order.on.from) || (order.on.is_link && !names_itself(order.on.to))) {
    return refused("\"" + fault::to_text(order.on) + "\" is not resolved yet.",
                   "Name the nodes here; 'failsim fault inject' resolves roles and shares.");
  }
  if (order.kind->place == Place::kLink) return reach_of_links(order, self, nodes);
  if (order.kind->place == Place::kNode) return reach_of_node(order, self, nodes);
  Reach reach;
  if (order.kind->place == Place::kGuest) reach.vms = order.on.from.names;
  return reach;
}

}  // namespace failsim::node
