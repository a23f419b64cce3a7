// What a leader sees, and what it would propose: node-1 leads node-2 and node-3, all are Up, hear
// each other and hold leases, until the test says otherwise.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/failover/decision.h"
#include "cluster/state/apply.h"
#include "tests/cluster/formed_cluster.h"

namespace failsim {

class LeaderStory : public testing::Test {
 protected:
  static constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
  static constexpr std::uint64_t kEverybody = 0b111;

  LeaderStory()
      : state(ClusterState::born(formed_of(3, 500 * kMebibyte))), detector(1, {1, 2, 3}, now) {
    for (const NodeId id : {1u, 2u, 3u}) {
      pb::Command command;
      command.mutable_node_joined()->set_node(id);
      command.mutable_node_joined()->set_store_id(100 + id);
      command.mutable_node_joined()->set_incarnation(process(id));
      perform(command);
    }
    detection = state.detection_time();
    leases.elected(now, detection);
    all_are_well();
  }

  // The process of a node's start.
  static Incarnation process(NodeId node, std::uint64_t start = 1) {
    return (start << 32) | (10 * start + node);
  }

  // ---- what is agreed ----
  Applied perform(pb::Command command) {
    command.set_cluster_time_ns(now);
    return apply(state, command, ++index);
  }
  // Owned by the node, 200 MiB, and its first start is under way.
  void create_vm(const std::string& name, NodeId owner) {
    pb::Command command;
    pb::Request::CreateVm& create = *command.mutable_request()->mutable_create_vm();
    create.set_name(name);
    create.set_owner(owner);
    create.set_start(true);
    create.mutable_config()->set_memory_bytes(200 * kMebibyte);
    ask(command);
  }
  // Every step of the operation under way is done.
  void settle(const std::string& name) {
    while (state.vm(name)->has_operation()) {
      pb::Command command;
      pb::Command::VmStep& step = *command.mutable_vm_step();
      step.set_vm(name);
      *step.mutable_epoch() = state.vm(name)->epoch();
      step.set_boot_id(state.vm(name)->boot_id());
      step.set_step(state.vm(name)->operation().step());
      perform(command);
    }
  }
  void ask(pb::Command command) {
    command.mutable_request()->set_client("test");
    command.mutable_request()->set_sequence(index + 1);
    const Applied applied = perform(command);
    ASSERT_EQ(applied.reply->code(), 0u) << applied.reply->message();
  }
  void take_down(NodeId node, bool fenced) {
    pb::Command command;
    command.mutable_node_down()->set_node(node);
    command.mutable_node_down()->set_incarnation(process(node));
    command.mutable_node_down()->set_fenced(fenced);
    perform(command);
  }

  // ---- what is heard ----
  void beat(NodeId node, std::uint64_t view = kEverybody, std::uint64_t start = 1) {
    pb::PeerMessage::Heartbeat heartbeat;
    heartbeat.set_sequence(++beats);
    heartbeat.set_view(view);
    detector.heard(node, process(node, start), heartbeat, now);
  }
  void asks_for_lease(NodeId node, bool held = true) {
    pb::PeerMessage::LeaseRequest request;
    request.set_held(held);
    request.set_applied_index(index);
    leases.asked(node, process(node), request, now);
  }
  void all_are_well() {
    for (const NodeId id : {2u, 3u}) beat(id);
    for (const NodeId id : {1u, 2u, 3u}) asks_for_lease(id);
  }

  // ---- what is proposed ----
  LeaderView view() const {
    return {state, detector, leases, 1, process(1), 2, leased, now, now, {}};
  }
  // The commands, by the first of their keys.
  template <typename Decide>
  std::map<std::string, pb::Command> proposals(Decide&& decide) {
    const LeaderView seen = view();
    Decision decision(seen, on_their_way);
    decide(decision);
    next_look = decision.next_look();
    std::map<std::string, pb::Command> commands;
    for (const Proposal& proposal : decision.take_proposals()) {
      commands[proposal.keys.front()] = proposal.command;
    }
    return commands;
  }

  Time now = 100 * kSecond;
  ClusterState state;
  FailureDetector detector;
  LeaseGrantor leases;
  std::map<std::string, Index> on_their_way;
  Duration detection = 0;
  Index index = 0;
  std::uint64_t beats = 0;
  bool leased = true;
  Time next_look = kNever;
};

}  // namespace failsim
