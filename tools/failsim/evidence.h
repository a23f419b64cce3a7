// What the launcher knows better than any heartbeat: a process it reaped is dead.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tools/failsim/directory.h"

namespace failsim::cli {

// Tells it to every other node, each death in a thread of its own, until one has accepted it, or
// it is withdrawn, or this object dies.
class EvidenceReports {
 public:
  EvidenceReports(ClusterDescription description, std::string token);

  void report(std::uint32_t dead_node, std::uint32_t instance);
  // A next process of the node is all the evidence that is needed from now on.
  void withdraw(std::uint32_t node);
  // None is needed any more. Returns at once.
  void request_stop();
  // Returns when every thread has ended.
  void stop();

 private:
  const ClusterDescription description_;
  const std::string token_;
  std::map<std::uint32_t, std::jthread> reports_;  // by the dead node
  std::vector<std::jthread> withdrawn_;            // asked to stop
};

}  // namespace failsim::cli
