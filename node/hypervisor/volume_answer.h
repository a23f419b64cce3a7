// What the shared volume has answered to a guest.
#pragma once

#include <cstdint>

#include "cluster/error.h"
#include "node/hypervisor/volume_port.h"

namespace failsim::node {

inline bool is(const pb::VolumeReply& reply, Code code) {
  return reply.code() == static_cast<std::uint32_t>(code);
}

}  // namespace failsim::node
