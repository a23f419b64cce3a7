// What the switchboard's faults mean to the hypervisor.
#pragma once

#include <memory>

#include "node/faults/switchboard.h"
#include "node/hypervisor/fault_seam.h"

namespace failsim::node {

// The switchboard outlives it, and it outlives the connections that it was asked about.
std::unique_ptr<HypervisorFaults> hypervisor_faults(NodeId self, Switchboard& switchboard);

}  // namespace failsim::node
