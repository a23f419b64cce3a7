// Which links and guests a fault is about, seen from node 2 of three.
#include "node/faults/reach.h"

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/fault/selector.h"

namespace failsim::node {
namespace {

using Ends = std::set<std::pair<NodeId, NodeId>>;

Result<Reach> reach(const std::string& line) {
  const Result<fault::Order> order = fault::parse_order(line);
  if (!order) return order.error();
  return reach_of(order.value(), 2, {1, 2, 3});
}
Ends links(const std::string& line) {
  const Result<Reach> found = reach(line);
  EXPECT_TRUE(found) << found.error().message;
  Ends ends;
  for (const DirectedLink& link : found.value().links) ends.emplace(link.from, link.to);
  return ends;
}
Code refusal(const std::string& line) {
  const Result<Reach> found = reach(line);
  return found ? Code::kOk : found.error().code;
}

TEST(Reach, AFaultOfALinkActsAtItsSender) {
  EXPECT_EQ(links("link-cut node-2->node-1"), (Ends{{2, 1}}));
  EXPECT_EQ(links("link-cut node-2<->all"), (Ends{{2, 1}, {2, 3}}));
  EXPECT_EQ(refusal("link-cut node-1->node-2"), Code::kInvalidParameter) << "node-1 sends";
}

TEST(Reach, TheVolumesEndIsPerformedByTheNodeAtTheOther) {
  EXPECT_EQ(links("link-hold volume->node-2"), (Ends{{fault::kVolumeEnd, 2}}));
  EXPECT_EQ(links("link-hold node-2->volume"), (Ends{{2, fault::kVolumeEnd}}));
}

TEST(Reach, WhoIsIsolatedKeepsItsLinksToThoseIsolatedWithIt) {
  EXPECT_EQ(links("isolate node-2"), (Ends{{2, 1}, {1, 2}, {2, 3}, {3, 2}}));
  EXPECT_EQ(links("isolate node-2,node-3"), (Ends{{2, 1}, {1, 2}}));
}

TEST(Reach, AFaultOfGuestsNamesThemWhereverTheyAre) {
  EXPECT_EQ(reach("guest-crash web,db").value().vms, (std::vector<std::string>{"web", "db"}));
}

TEST(Reach, WhatANodeDoesNotPerformIsRefused) {
  EXPECT_EQ(refusal("kill node-2"), Code::kInvalidState) << "the launcher does";
  EXPECT_EQ(refusal("clock-jump node-2 by=3s"), Code::kInvalidState);
  EXPECT_EQ(refusal("link-corrupt node-2->volume share=5%"), Code::kInvalidState);
  EXPECT_EQ(refusal("link-cut node-2->volume class=data"), Code::kInvalidParameter);
  EXPECT_EQ(refusal("isolate leader"), Code::kInvalidParameter) << "roles are resolved elsewhere";
  EXPECT_EQ(refusal("isolate node-1"), Code::kInvalidParameter) << "that is another node";
  EXPECT_EQ(refusal("link-cut node-2->node-9"), Code::kNodeNotFound);
}

// The table of kinds says what processes can do; this is who does it.
TEST(Reach, EveryFaultOfProcessesIsPerformedHereOrByTheLauncher) {
  const std::set<std::string_view> of_launcher = {
      "kill",      "terminate", "freeze",    "crash-loop", "volume-stall",  "volume-restart",
      "disk-tear", "disk-flip", "disk-swap", "failpoint",  "no-descriptors"};
  for (const fault::Kind& kind : fault::kinds()) {
    fault::Order order;
    order.kind = &kind;
    order.on.from.names = {"node-2"};
    order.on.is_link = kind.place == fault::Place::kLink;
    order.on.to.names = {"node-1"};
    for (const fault::Parameter& parameter : kind.parameters) {
      order.values.push_back(parameter.fallback.value_or(parameter.minimum));
    }
    const bool is_here = reach_of(order, 2, {1, 2, 3}).ok();
    EXPECT_EQ(is_here, kind.in_processes.is_performed && !of_launcher.contains(kind.name))
        << kind.name;
  }
}

}  // namespace
}  // namespace failsim::node
