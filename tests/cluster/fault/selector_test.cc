// Which nodes and links a selector hits.

#include "cluster/fault/selector.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

namespace failsim::fault {
namespace {

using Links = std::vector<std::pair<NodeId, NodeId>>;

// Five nodes; node-2 leads; web runs on node-1 and moves to node-3, db only runs, lost nowhere.
class Five : public Surroundings {
 public:
  std::vector<NodeId> nodes() const override { return nodes_; }
  NodeId leader() const override { return leader_; }
  bool has_vm(const std::string& vm) const override { return owners_.contains(vm); }
  NodeId owner(const std::string& vm) const override { return owners_.at(vm); }
  NodeId migration_source(const std::string& vm) const override { return vm == "web" ? 1 : 0; }
  NodeId migration_target(const std::string& vm) const override { return vm == "web" ? 3 : 0; }

  std::vector<NodeId> nodes_ = {1, 2, 3, 4, 5};
  NodeId leader_ = 2;
  std::map<std::string, NodeId> owners_ = {{"web", 1}, {"db", 4}, {"lost", kNoNode}};
};

class SelectorStory : public testing::Test {
 protected:
  std::vector<NodeId> nodes(const std::string& text) {
    const Result<Selector> selector = parse_selector(text);
    EXPECT_TRUE(selector.ok()) << text << ": " << selector.error().message;
    const auto hit = resolve_nodes(selector.value(), five_, random_);
    EXPECT_TRUE(hit.ok()) << text << ": " << hit.error().message;
    return hit.value();
  }
  Links links(const std::string& text) {
    const auto hit = resolve_links(parse_selector(text).value(), five_, random_);
    EXPECT_TRUE(hit.ok()) << text << ": " << hit.error().message;
    return hit.value();
  }
  Error refused(const std::string& text) {
    return resolve_nodes(parse_selector(text).value(), five_, random_).error();
  }

  Five five_;
  Random random_{7};
};

TEST_F(SelectorStory, NamesAndRolesHitWhatTheySay) {
  EXPECT_EQ(nodes("node-4"), std::vector<NodeId>{4});
  EXPECT_EQ(nodes("node-4,node-1,node-4"), (std::vector<NodeId>{4, 1}));
  EXPECT_EQ(nodes("leader"), std::vector<NodeId>{2});
  EXPECT_EQ(nodes("owner(db)"), std::vector<NodeId>{4});
  EXPECT_EQ(nodes("source(web)"), std::vector<NodeId>{1});
  EXPECT_EQ(nodes("target(web)"), std::vector<NodeId>{3});
  EXPECT_EQ(nodes("all").size(), 5u);
}

TEST_F(SelectorStory, SharesAreAsLargeAsTheirNames) {
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(nodes("one").size(), 1u);
    EXPECT_EQ(nodes("minority").size(), 2u);
    EXPECT_EQ(nodes("majority").size(), 3u);
    EXPECT_EQ(nodes("minority-third").size(), 1u);
  }
}

TEST_F(SelectorStory, ALinkHasADirection) {
  EXPECT_EQ(links("node-1->node-2"), (Links{{1, 2}}));
  EXPECT_EQ(links("node-1<->node-2"), (Links{{1, 2}, {2, 1}}));
  EXPECT_EQ(links("leader->all"), (Links{{2, 1}, {2, 3}, {2, 4}, {2, 5}}));
  EXPECT_EQ(links("all<->all").size(), 20u);
  EXPECT_EQ(links("node-1->volume"), (Links{{1, kVolumeEnd}}));
}

TEST_F(SelectorStory, SharesOfOneLinkAreASplit) {
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(links("minority<->majority").size(), 2u * 3u * 2u);
  }
}

TEST_F(SelectorStory, WhatHitsNothingIsRefused) {
  EXPECT_EQ(refused("node-9").code, Code::kNodeNotFound);
  EXPECT_NE(refused("node-9").next.find("node-"), std::string::npos);
  EXPECT_EQ(refused("owner(nobody)").code, Code::kResourceNotFound);
  EXPECT_EQ(refused("owner(lost)").code, Code::kNotReady);
  EXPECT_EQ(refused("source(db)").code, Code::kNotReady);
  five_.leader_ = kNoNode;
  EXPECT_EQ(refused("leader").code, Code::kNotReady);
  five_.nodes_ = {1};
  EXPECT_EQ(refused("minority").code, Code::kInvalidParameter);
  EXPECT_FALSE(resolve_links(parse_selector("node-1->node-1").value(), five_, random_).ok());
}

TEST_F(SelectorStory, WhatIsNoSelectorIsRefusedWithTheNearestWord) {
  for (const char* text : {"", ",", "node-1,", "->", "node-1->", "owner", "owner()", "owner(web",
                           "node 1", "leader,node-1", "(web)", "node-1->node-2->node-3"}) {
    const Result<Selector> selector = parse_selector(text);
    ASSERT_FALSE(selector.ok()) << text;
    EXPECT_EQ(selector.error().code, Code::kInvalidParameter);
  }
  EXPECT_EQ(parse_selector("ownr(web)").error().next, "Did you mean \"owner(web)\"?");
}

TEST_F(SelectorStory, TextsComeBack) {
  for (const char* text : {"node-1", "node-1,node-2", "leader", "owner(web)", "one->all",
                           "minority<->majority", "node-1->volume", "web"}) {
    EXPECT_EQ(to_text(parse_selector(text).value()), text);
  }
}

TEST(NodeNames, AreNode1ToNode64) {
  for (const char* name : {"node-1", "node-9", "node-64"}) EXPECT_TRUE(is_node_name(name));
  for (const char* name : {"node-0", "node-01", "node-65", "node-", "node-1x", "web", ""}) {
    EXPECT_FALSE(is_node_name(name)) << name;
  }
}

}  // namespace
}  // namespace failsim::fault
