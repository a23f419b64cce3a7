#include "cluster/membership/newest_processes.h"

#include <gtest/gtest.h>

#include "cluster/proto/command.pb.h"

namespace failsim {
namespace {

Incarnation process(std::uint64_t start, std::uint64_t instance) {
  return (start << 32) | instance;
}

pb::LogEntry joining(NodeId node, Incarnation incarnation) {
  pb::Command command;
  command.mutable_node_joined()->set_node(node);
  command.mutable_node_joined()->set_incarnation(incarnation);
  pb::LogEntry entry;
  entry.set_command(command.SerializeAsString());
  return entry;
}

ClusterState state_that_names(NodeId id, Incarnation incarnation) {
  pb::Node node;
  node.set_id(id);
  node.set_incarnation(incarnation);
  ClusterState state;
  state.put(node);
  return state;
}

TEST(NewestProcesses, ALaterStartSilencesTheFormerOne) {
  NewestProcesses processes{ClusterState()};
  EXPECT_TRUE(processes.admit(2, process(1, 7)));
  EXPECT_TRUE(processes.admit(2, process(1, 7)));
  EXPECT_TRUE(processes.admit(2, process(2, 3)));
  EXPECT_FALSE(processes.admit(2, process(1, 7)));
  EXPECT_TRUE(processes.admit(2, process(2, 3)));
}

TEST(NewestProcesses, OfTwoProcessesOfOneStartTheFirstHeardMaySpeak) {
  NewestProcesses processes{ClusterState()};
  EXPECT_TRUE(processes.admit(2, process(4, 9)));
  EXPECT_FALSE(processes.admit(2, process(4, 10)));
}

TEST(NewestProcesses, NodesDoNotSilenceEachOther) {
  NewestProcesses processes{ClusterState()};
  EXPECT_TRUE(processes.admit(2, process(9, 1)));
  EXPECT_TRUE(processes.admit(3, process(1, 1)));
}

TEST(NewestProcesses, TheStateNamesOneThatWasNotHeardYet) {
  NewestProcesses processes{state_that_names(2, process(3, 5))};
  EXPECT_FALSE(processes.admit(2, process(2, 4)));
  EXPECT_TRUE(processes.admit(2, process(3, 5)));
}

TEST(NewestProcesses, AJoiningInTheLogCountsBeforeItIsCommitted) {
  NewestProcesses processes{ClusterState()};
  ASSERT_TRUE(processes.admit(2, process(3, 5)));
  processes.read(joining(2, process(4, 6)));
  EXPECT_FALSE(processes.admit(2, process(3, 5)));
  processes.read(joining(2, process(1, 1)));  // an old entry, read again
  EXPECT_FALSE(processes.admit(2, process(3, 5)));
  EXPECT_TRUE(processes.admit(2, process(4, 6)));
}

TEST(NewestProcesses, OtherEntriesSayNothing) {
  NewestProcesses processes{ClusterState()};
  processes.read(pb::LogEntry());
  pb::Command command;
  command.mutable_node_down()->set_node(2);
  command.mutable_node_down()->set_incarnation(process(9, 9));
  pb::LogEntry entry;
  entry.set_command(command.SerializeAsString());
  processes.read(entry);
  EXPECT_TRUE(processes.admit(2, process(1, 1)));
}

}  // namespace
}  // namespace failsim
