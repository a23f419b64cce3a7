// The faults of one node process: enters the seams of the node while they are opened, and does at
// once what a fault that begins or ends demands.
//
// A node has it only if it was started with `--faults`; without it every seam is as it was made.
// What a fault means is for the switchboard to say, and what it does to a seam for the decorator
// there; this is the one place that knows all of them. Everything happens on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/message.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"
#include "node/faults/failpoints.h"
#include "node/faults/fault_desk.h"
#include "node/faults/faulty_links.h"
#include "node/faults/switchboard.h"
#include "node/hypervisor/fault_seam.h"
#include "node/hypervisor/hypervisor.h"
#include "node/runtime/member_loop.h"
#include "node/runtime/step_points.h"
#include "storage/failpoint_board.h"
#include "storage/observations.h"

namespace failsim::node {

class NodeFaults {
 public:
  struct Config {
    NodeId self = kNoNode;
    Incarnation incarnation = 0;
    pb::Bootstrap bootstrap;
    ObservationLog* observations = nullptr;  // null: nobody watches
    std::function<void(pb::Request, std::function<void(pb::Reply)>)> ask;
    std::function<void(Duration, std::function<void()>)> call_after;
    std::function<void(std::uint64_t bytes)> set_memory_pressure;
  };

  // It outlives whatever it has entered; what it is given here outlives it.
  NodeFaults(boost::asio::io_context& io, Switchboard& switchboard, FailpointBoard& board,
             Config config);

  // ---- the seams, each before it is opened ----
  void enter(MemberLoop::Outside& loop);
  // Hears for the links; heartbeats are to be received by the same function.
  void enter(PeerLinksConfig& links);
  void enter(HypervisorConfig& hypervisor);
  // The open transport gets its decorators. To be done before the first fault.
  void put_around(std::unique_ptr<PeerLinks>& links, std::unique_ptr<HeartbeatSocket>& heartbeats);

  // Faults of this node as its interface sees them.
  FaultDesk& desk() { return desk_; }
  // How much longer than it has to the process stays when it was asked to stop.
  Duration stop_delay() const { return switchboard_.stop_delay(); }
  // The process ends: nothing is in force any more, and nobody waits for a stalled disk.
  void close() { switchboard_.close(); }

 private:
  FaultDesk::Outside outside_of_desk();
  FailpointsOutside outside_of_points();
  bool hears(pb::PeerMessage& message) const;
  void isolate(Duration duration);
  void cancel_migration(const std::string& vm);
  void faults_changed();

  boost::asio::io_context& io_;
  Switchboard& switchboard_;
  const Config config_;
  FaultDesk desk_;
  const std::unique_ptr<StepPoints> points_;
  const std::unique_ptr<HypervisorFaults> hypervisor_faults_;
  FaultyLinks* links_ = nullptr;            // of the node
  FaultyHeartbeats* heartbeats_ = nullptr;  // likewise
  std::int64_t clock_drift_ppm_ = 0;
  std::uint64_t cancels_ = 0;
};

}  // namespace failsim::node
