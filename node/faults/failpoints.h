// Passes the named points of one node process and does what the terms there say.
//
// On the loop's thread: a delay hangs the loop, a kill ends the process in the middle of it. Guests
// and transfers have threads of their own and go on.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cluster/ids.h"
#include "node/faults/switchboard.h"
#include "node/runtime/step_points.h"
#include "storage/failpoint_board.h"

namespace failsim::node {

struct FailpointsOutside {
  std::function<void(NodeId from, NodeId to)> reset;  // the connection of one direction breaks
  std::function<void(Duration)> isolate;              // this node, for so long
  std::function<void(const std::string& vm)> cancel;  // the migration of this VM
};

// `board` and `switchboard` outlive it.
std::unique_ptr<StepPoints> failpoints(NodeId self, FailpointBoard& board, Switchboard& switchboard,
                                       FailpointsOutside outside);

}  // namespace failsim::node
