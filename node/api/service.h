// What the interface asks of the node it is served by. Everything is called, and calls back, on the
// event loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/message.pb.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"
#include "node/transport/admission.h"

namespace failsim::node {

class FaultDesk;  // node/faults/fault_desk.h

class NodeService {
 public:
  virtual ~NodeService() = default;

  virtual NodeId self() const = 0;
  virtual Incarnation incarnation() const = 0;
  virtual std::uint64_t process_id() const = 0;
  virtual NodeId leader() const = 0;
  virtual bool has_quorum() const = 0;
  virtual const TransportCounters& transport_counters() const = 0;

  // What this node has applied. After a successful read() it contains everything acknowledged
  // before read() was called. Valid until control returns to the loop.
  virtual const ClusterState& state() const = 0;

  // Each answers exactly once and after a bounded time; never before it returns, except live().
  virtual void ask(pb::Request request, std::function<void(pb::Reply)> answer) = 0;
  virtual void read(std::function<void(Code)> answer) = 0;
  // What the VM's owner says about it this moment, and about the link to `target` unless that is
  // kNoNode; nothing when it does not answer.
  virtual void live(const std::string& vm, NodeId target,
                    std::function<void(std::optional<pb::PeerMessage::LiveReply>)> answer) = 0;

  virtual void process_died(NodeId node, std::uint32_t instance) = 0;
  virtual void call_after(Duration delay, std::function<void()> call) = 0;
  // Null unless the process was started with --faults.
  virtual FaultDesk* fault_desk() = 0;
};

}  // namespace failsim::node
