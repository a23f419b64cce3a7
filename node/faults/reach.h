// What of a fault is this node's affair: which of its links, or which guests. A pure function of
// the order and of who is in the cluster.
//
// A fault of a link acts at its sender. `isolate` is the exception: it acts at the isolated nodes,
// in both directions, so that it begins and ends at one place. The volume's ends of links are
// performed by the node at the other end.
#pragma once

#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/fault/order.h"
#include "cluster/ids.h"

namespace failsim::node {

struct DirectedLink {
  NodeId from = kNoNode;
  NodeId to = kNoNode;
};

struct Reach {
  std::vector<DirectedLink> links;
  std::vector<std::string> vms;  // wherever they are: whoever runs one is hit
};

// Of the node `self` of `nodes`. The selector has to name nodes or VMs (or be "all" or "volume")
// and to concern this node. Errors: kInvalidParameter, kNodeNotFound; kInvalidState: a node process
// does not perform this fault, or not on that link.
Result<Reach> reach_of(const fault::Order& order, NodeId self, const std::vector<NodeId>& nodes);

}  // namespace failsim::node
