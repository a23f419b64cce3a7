// Who sees what guests do: the checkers of a world.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/ids.h"
#include "cluster/time.h"

namespace failsim::sim {

class Observer {
 public:
  virtual ~Observer() = default;

  // The guest executes from now on, until it stops or until its lease is over.
  virtual void guest_executes(NodeId node, const std::string& vm, Time until) = 0;
  virtual void guest_stops(NodeId node, const std::string& vm) = 0;
  virtual void memory_used(NodeId node, std::uint64_t used, std::uint64_t memory) = 0;
  // The image that resumed was compared with what the source had.
  virtual void image_verified(NodeId node, const std::string& vm, TaskId job, bool match) = 0;
};

}  // namespace failsim::sim
