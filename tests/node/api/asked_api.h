// The interface of a node that answers as the test tells it: cluster "lab" of nodes 1 and 2, with
// the VM web.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include "cluster/vm/lifecycle.h"
#include "node/api/api.h"
#include "node/faults/fault_desk.h"

namespace failsim::node {

namespace json = boost::json;

// A node that answers as the test tells it, at once.
class AskedNode final : public NodeService {
 public:
  NodeId self() const override { return 1; }
  Incarnation incarnation() const override { return 1; }
  std::uint64_t process_id() const override { return 4; }
  NodeId leader() const override { return leading; }
  bool has_quorum() const override { return read_code == Code::kOk; }
  const TransportCounters& transport_counters() const override { return counters; }
  const ClusterState& state() const override { return cluster; }
  void ask(pb::Request request, std::function<void(pb::Reply)> answer) override {
    asked.push_back(std::move(request));
    if (is_silent) {
      unanswered.push_back(std::move(answer));
      return;
    }
    answer(reply);
  }
  void read(std::function<void(Code)> answer) override {
    ++reads;
    if (leads_nowhere) return;  // no leader confirms it, for long
    answer(read_code);
  }
  void live(const std::string&, NodeId,
            std::function<void(std::optional<pb::PeerMessage::LiveReply>)> answer) override {
    answer(live_reply);
  }
  void process_died(NodeId node, std::uint32_t instance) override {
    died.emplace_back(node, instance);
  }
  void call_after(Duration, std::function<void()> call) override { timers.push_back(call); }
  FaultDesk* fault_desk() override { return faults.get(); }

  std::unique_ptr<FaultDesk> faults;
  ClusterState cluster;
  TransportCounters counters;
  NodeId leading = 1;
  bool leads_nowhere = false;
  Code read_code = Code::kOk;
  std::optional<pb::PeerMessage::LiveReply> live_reply;
  pb::Reply reply;
  bool is_silent = false;  // as without a quorum
  std::vector<std::function<void(pb::Reply)>> unanswered;
  int reads = 0;
  std::vector<pb::Request> asked;
  std::vector<std::pair<NodeId, std::uint32_t>> died;
  std::vector<std::function<void()>> timers;
};

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    pb::Bootstrap bootstrap;
    bootstrap.set_cluster_name("lab");
    bootstrap.add_nodes()->set_id(1);
    bootstrap.add_nodes()->set_id(2);
    node_.cluster = ClusterState::born(bootstrap);
    pb::Vm vm;
    vm.set_name("web");
    vm.set_owner(1);
    vm.set_state(1);
    node_.cluster.put(vm);
    node_.reply.set_task(9);
  }
  // A guest of 64 MiB that writes 64 MiB a second; 0 = anywhere.
  void let_web_be_migrated(std::uint64_t working_set_bytes) {
    pb::Vm vm = *node_.cluster.vm("web");
    vm.set_state(static_cast<std::uint32_t>(VmState::kRunning));
    vm.mutable_config()->set_memory_bytes(64u << 20);
    vm.mutable_config()->set_working_set_bytes(working_set_bytes);
    vm.mutable_config()->set_dirty_bytes_per_second(64u << 20);
    node_.cluster.put(vm);
    for (const NodeId id : {1u, 2u}) {
      pb::Node node = *node_.cluster.node(id);
      node.set_state(pb::NODE_UP);
      node.set_memory_bytes(1u << 30);
      node_.cluster.put(node);
    }
  }

  unsigned send(const std::string& method, const std::string& target, const std::string& body = "",
                const std::string& request_id = "") {
    answers_.clear();
    api_.handle({method, target, request_id, body}, [this](HttpResponse answer) {
      status_ = answer.status;
      body_ = answer.body;
      const bool is_json = answer.content_type == "application/json";
      answers_.push_back(is_json ? json::parse(answer.body) : json::value());
    });
    return answers_.empty() ? 0 : status_;
  }
  const json::value& answer() const { return answers_.at(0); }
  std::string error_name() const {
    return std::string(answer().at("error").at("name").as_string());
  }
  const pb::Request& asked() const { return node_.asked.back(); }

  void add_event(std::uint64_t number) {
    pb::EventRecord event;
    event.set_number(number);
    node_.cluster.put(event);
    api_.state_changed();
  }

  AskedNode node_;
  Api api_{node_};
  unsigned status_ = 0;
  std::string body_;
  std::vector<json::value> answers_;
};

}  // namespace failsim::node
