// The way between a node and the shared volume while faults of that link, or of the volume, are in
// force: a decorator of the port that guests use.
//
// While the link is cut, requests and answers wait, as behind a client that connects again for
// ever; nothing is lost and the order stays. Requests that write are answered with an error while
// the volume refuses writes.
#pragma once

#include <memory>

#include "node/faults/switchboard.h"
#include "node/hypervisor/volume_port.h"

namespace failsim::node {

std::shared_ptr<VolumePort> faulty_volume(std::shared_ptr<VolumePort> volume, NodeId self,
                                          Switchboard& switchboard);

}  // namespace failsim::node
