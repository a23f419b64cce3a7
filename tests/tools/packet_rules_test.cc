// What orders mean for packets, and the scripts that say so to nft and tc.
#include "tools/failsim/packet_rules.h"

#include <set>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/fault/selector.h"

namespace failsim::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class PacketRules : public testing::Test {
 protected:
  // Puts the order in force beside those that are.
  void order(const std::string& line) {
    const auto parsed = fault::parse_order(line);
    ASSERT_TRUE(parsed) << line << ": " << parsed.error().message;
    const auto error = add_order(treatments_, parsed.value(), 3);
    ASSERT_FALSE(error) << error->message;
  }
  std::string refusal(const std::string& line) {
    const auto error = add_order(treatments_, fault::parse_order(line).value(), 3);
    return error ? error->message : "";
  }
  // The commands of the chain of this name, each ending in a line.
  std::string chain(const std::string& name) const {
    const std::string text = filter();
    const std::string head = "  chain " + name + " {\n";
    const std::size_t start = text.find(head);
    if (start == std::string::npos) return "none";
    const std::size_t body = start + head.size();
    return text.substr(body, text.find("  }\n", body) - body);
  }
  std::string filter() const { return filter_script(treatments_, description_); }
  std::string queues() const { return queue_script({}, treatments_); }
  bool is_cut(NodeId from, NodeId to, PacketClass traffic = PacketClass::kControl) const {
    const auto found = treatments_.find({from, to, traffic});
    return found != treatments_.end() && found->second.is_cut;
  }

  const ClusterDescription description_{"lab", "127.70.5", 3, 0, 0};
  PacketTreatments treatments_;
};

TEST_F(PacketRules, WithoutFaultsNothingIsTouched) {
  EXPECT_THAT(filter(), Not(HasSubstr("drop")));
  EXPECT_EQ(queues(), "");
}

TEST_F(PacketRules, ACutHeartbeatIsToldByItsPort) {
  order("link-cut node-1->node-2 class=heartbeat");
  EXPECT_THAT(filter(), HasSubstr("ip saddr 127.70.5.1 ip daddr 127.70.5.2 udp dport 3343 goto "
                                  "node_1_to_node_2_heartbeat\n"));
  EXPECT_EQ(chain("node_1_to_node_2_heartbeat"), "    drop\n");
  EXPECT_THAT(filter(), Not(HasSubstr("tcp")));
  EXPECT_THAT(filter(), Not(HasSubstr("ip saddr 127.70.5.2")));
}

TEST_F(PacketRules, AStreamIsToldByThePortOfEitherEnd) {
  order("link-cut node-3->node-2 class=data");
  EXPECT_THAT(filter(), HasSubstr("ip saddr 127.70.5.3 ip daddr 127.70.5.2 tcp dport 6600 goto"));
  EXPECT_THAT(filter(), HasSubstr("ip saddr 127.70.5.3 ip daddr 127.70.5.2 tcp sport 6600 goto"));
}

TEST_F(PacketRules, ACutOfAllTakesWhatHasNoClassToo) {
  order("link-cut node-1->node-2");
  const std::string text = filter();
  const std::size_t other = text.find("ip daddr 127.70.5.2 goto node_1_to_node_2_other");
  ASSERT_NE(other, std::string::npos);
  EXPECT_LT(text.find("tcp dport 6600"), other) << "classes are told first";
}

TEST_F(PacketRules, IsolatedNodesTalkAmongThemselvesAndWithTheVolume) {
  order("isolate node-1,node-2");
  EXPECT_TRUE(is_cut(1, 3));
  EXPECT_TRUE(is_cut(3, 1));
  EXPECT_TRUE(is_cut(3, 2));
  EXPECT_FALSE(is_cut(1, 2));
  EXPECT_FALSE(is_cut(1, fault::kVolumeEnd, PacketClass::kOther));
}

TEST_F(PacketRules, TheLinkOfTheVolumeHasNoClasses) {
  order("link-cut node-1<->volume");
  EXPECT_TRUE(is_cut(1, fault::kVolumeEnd, PacketClass::kOther));
  EXPECT_TRUE(is_cut(fault::kVolumeEnd, 1, PacketClass::kOther));
  EXPECT_THAT(filter(), HasSubstr("ip saddr 127.70.5.254 ip daddr 127.70.5.1 goto"));
  EXPECT_THAT(refusal("link-cut node-1->volume class=data"), HasSubstr("no classes"));
  EXPECT_THAT(refusal("link-reorder node-1->volume share=5%"), HasSubstr("no classes"));
  EXPECT_EQ(refusal("link-rate node-1->volume rate=1MiB/s"), "");
}

TEST_F(PacketRules, ANodeThatIsNotThereIsRefused) {
  EXPECT_THAT(refusal("link-cut node-1->node-9"), HasSubstr("node-9"));
}

TEST_F(PacketRules, EachLossIsDrawnByItself) {
  order("link-loss node-1->node-2 share=5% class=control");
  order("link-loss node-1->node-2 share=0.3% class=control");
  EXPECT_EQ(chain("node_1_to_node_2_control"),
            "    numgen random mod 1000 < 50 drop\n    numgen random mod 1000 < 3 drop\n");
  EXPECT_EQ(queues(), "") << "what is dropped needs no queue";
}

TEST_F(PacketRules, AllThatIsLostIsNotDrawn) {
  order("link-loss node-1->node-2 share=100% class=data");
  EXPECT_EQ(chain("node_1_to_node_2_data"), "    drop\n");
}

TEST_F(PacketRules, TheLowestRateCounts) {
  order("link-rate node-1->node-2 rate=1MiB/s class=data");
  order("link-rate node-1->node-2 rate=2MiB/s class=data");
  EXPECT_EQ(queues(),
            "class replace dev node-2 parent 1: classid 1:f htb rate 1048576bps ceil 1048576bps "
            "quantum 1514\nqdisc replace dev node-2 parent 1:f bfifo limit 104857\n");
  EXPECT_EQ(chain("node_1_to_node_2_data"), "    meta priority set 1:f\n");
}

TEST_F(PacketRules, OnlyQueuesThatChangeAreTouched) {
  order("link-rate node-1->node-2 rate=1MiB/s");
  const PacketTreatments former = treatments_;
  EXPECT_EQ(queue_script(former, treatments_), "");
  order("link-rate node-3->volume rate=1MiB/s");
  EXPECT_THAT(queue_script(former, treatments_), HasSubstr("class replace dev volume"));
  EXPECT_THAT(queue_script(former, treatments_), Not(HasSubstr("dev node-2")));
  EXPECT_THAT(queue_script(treatments_, former), testing::StartsWith("class del dev volume"));
}

TEST_F(PacketRules, SendersAndClassesHaveQueuesOfTheirOwn) {
  order("link-rate all->all rate=1MiB/s class=all");
  order("link-rate all<->volume rate=1MiB/s");
  std::istringstream lines(queues());
  std::set<std::string> classes;
  int count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("class")) continue;
    ++count;
    classes.insert(line.substr(0, line.find(" htb")));
  }
  EXPECT_EQ(count, 3 * 2 * 4 + 3 * 2);
  EXPECT_EQ(classes.size(), static_cast<std::size_t>(count));
}

TEST_F(PacketRules, DelaysAddUpToAMeanAndWhatIsToEitherSide) {
  order("link-delay node-1->node-2 min=10ms max=30ms class=control");
  order("link-delay node-1->node-2 min=5ms class=control");
  EXPECT_THAT(queues(), HasSubstr("netem limit 100000 delay 25000us 10000us\n"));
}

TEST_F(PacketRules, NetemFlipsBitsWithTheChanceOfAll) {
  order("link-corrupt node-1->node-2 share=5% class=heartbeat");
  order("link-corrupt node-1->node-2 share=0.1% class=heartbeat");
  EXPECT_THAT(queues(), HasSubstr("netem limit 100000 corrupt 5.1%\n"));
}

TEST_F(PacketRules, HeartbeatsThatAreOvertakenWaitInAQueueOfTheirOwn) {
  order("link-reorder node-1->node-2 share=20% window=300ms");
  EXPECT_EQ(chain("node_1_to_node_2_heartbeat"),
            "    meta priority set 1:b\n    numgen random mod 1000 < 200 meta priority set 1:c\n");
  EXPECT_THAT(queues(), HasSubstr("parent 1:b bfifo"));
  EXPECT_THAT(queues(), HasSubstr("parent 1:c netem limit 100000 delay 150000us 150000us"));
}

TEST_F(PacketRules, WhatNeedsNetemIsLeftToProcessesWithoutIt) {
  for (const char* kind : {"link-cut", "isolate", "link-loss", "link-rate"}) {
    EXPECT_TRUE(is_fault_of_packets(kind, {})) << kind;
  }
  for (const char* kind : {"link-delay", "link-reorder", "link-corrupt"}) {
    EXPECT_FALSE(is_fault_of_packets(kind, {})) << kind;
    EXPECT_TRUE(is_fault_of_packets(kind, {.netem = true})) << kind;
  }
  for (const char* kind : {"link-hold", "link-reset", "link-duplicate", "kill", "volume-slow"}) {
    EXPECT_FALSE(is_fault_of_packets(kind, {.netem = true})) << kind;
  }
}

}  // namespace
}  // namespace failsim::cli
