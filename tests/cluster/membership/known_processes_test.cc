#include "cluster/membership/known_processes.h"

#include <gtest/gtest.h>

#include "cluster/proto/command.pb.h"

namespace failsim {
namespace {

Incarnation process(std::uint64_t start, std::uint64_t instance) {
  return (start << 32) | instance;
}

pb::PeerMessage said(NodeId node, Incarnation by, std::uint64_t synced = 0) {
  pb::PeerMessage message;
  message.set_from(node);
  message.set_incarnation(by);
  message.set_synced(synced);
  return message;
}

pb::PeerMessage beat(NodeId node, Incarnation by, const KnownProcess& former) {
  pb::PeerMessage message = said(node, by);
  message.mutable_heartbeat()->mutable_former()->set_incarnation(former.process);
  message.mutable_heartbeat()->mutable_former()->set_synced(former.synced);
  return message;
}

pb::PeerMessage shown(NodeId node, Incarnation by, const KnownProcess& from) {
  pb::PeerMessage message = said(node, by);
  message.mutable_goes_on_from()->set_incarnation(from.process);
  message.mutable_goes_on_from()->set_synced(from.synced);
  return message;
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

TEST(KnownProcesses, TheFirstThatIsHeardSpeaksForItsNodeAndForNoOther) {
  KnownProcesses processes{ClusterState()};
  EXPECT_TRUE(processes.take(said(2, process(9, 1))));
  EXPECT_TRUE(processes.take(said(3, process(1, 1))));
  EXPECT_FALSE(processes.take(said(2, process(9, 2))));
  EXPECT_FALSE(processes.take(said(2, process(10, 3)))) << "a later start alone says nothing";
}

TEST(KnownProcesses, ABeatOfTheNextProcessNamesTheFormerOneAndSilencesIt) {
  KnownProcesses processes{ClusterState()};
  EXPECT_TRUE(processes.take(said(2, process(1, 7), 5)));
  EXPECT_FALSE(processes.take(beat(2, process(2, 3), {process(1, 7), 4}))) << "it has lost one";
  EXPECT_TRUE(processes.take(beat(2, process(2, 3), {process(1, 7), 5})));
  EXPECT_TRUE(processes.take(said(2, process(2, 3))));
  EXPECT_FALSE(processes.take(said(2, process(1, 7), 6)));
}

TEST(KnownProcesses, WhoGoesOnFromAnEarlierOneHasToShowIt) {
  KnownProcesses processes{ClusterState()};
  EXPECT_TRUE(processes.take(said(2, process(1, 7), 5)));
  EXPECT_FALSE(processes.take(beat(2, process(3, 3), {process(2, 8), 9})));
  processes.shown(shown(2, process(3, 3), {process(1, 9), 5}));
  EXPECT_FALSE(processes.take(said(2, process(3, 3)))) << "that is another";
  processes.shown(shown(2, process(3, 3), {process(1, 7), 4}));
  EXPECT_FALSE(processes.take(said(2, process(3, 3)))) << "that was less";
  processes.shown(shown(2, process(3, 3), {process(1, 7), 5}));
  EXPECT_TRUE(processes.take(said(2, process(3, 3))));
}

TEST(KnownProcesses, AProcessIsAskedOnceInAWhile) {
  KnownProcesses processes{ClusterState()};
  EXPECT_TRUE(processes.asks(said(2, process(3, 3)), 0, kSecond));
  EXPECT_FALSE(processes.asks(said(2, process(3, 3)), kSecond - 1, kSecond));
  EXPECT_TRUE(processes.asks(said(2, process(3, 3)), kSecond, kSecond));
  EXPECT_TRUE(processes.asks(said(2, process(4, 4)), kSecond, kSecond));
}

TEST(KnownProcesses, TheStateNamesOneThatWasNotHeardYet) {
  KnownProcesses processes{state_that_names(2, process(3, 5))};
  EXPECT_FALSE(processes.take(said(2, process(2, 4))));
  EXPECT_TRUE(processes.take(said(2, process(3, 5))));
}

TEST(KnownProcesses, AJoiningInTheLogCountsBeforeItIsCommitted) {
  KnownProcesses processes{ClusterState()};
  ASSERT_TRUE(processes.take(said(2, process(3, 5))));
  processes.read(joining(2, process(4, 6)));
  EXPECT_FALSE(processes.take(said(2, process(3, 5))));
  processes.read(joining(2, process(1, 1)));  // an old entry, read again
  EXPECT_FALSE(processes.take(said(2, process(3, 5))));
  EXPECT_TRUE(processes.take(said(2, process(4, 6))));
}

TEST(KnownProcesses, OtherEntriesSayNothing) {
  KnownProcesses processes{ClusterState()};
  processes.read(pb::LogEntry());
  pb::Command command;
  command.mutable_node_down()->set_node(2);
  command.mutable_node_down()->set_incarnation(process(9, 9));
  pb::LogEntry entry;
  entry.set_command(command.SerializeAsString());
  processes.read(entry);
  EXPECT_TRUE(processes.take(said(2, process(1, 1))));
}

}  // namespace
}  // namespace failsim
