// The states of a node by the names people know them by.
#pragma once

#include <string_view>

#include "cluster/proto/state.pb.h"

namespace failsim {

// For example "Up"; the state must be one of the enumeration.
inline std::string_view name(pb::NodeState state) {
  switch (state) {
    case pb::NODE_UP:
      return "Up";
    case pb::NODE_DOWN:
      return "Down";
    case pb::NODE_PAUSED:
      return "Paused";
    default:
      return "Joining";
  }
}

}  // namespace failsim
