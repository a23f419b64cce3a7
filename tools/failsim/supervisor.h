// The parent of a cluster's processes: starts the volume and the nodes, reaps them, tells the
// others when one has died, and stops all of them in the end.
//
// It runs in the process that calls it until the cluster is down; the caller holds the lock of the
// directory. Its children are killed with it
// (PR_SET_PDEATHSIG), are in process groups of their own (a Control-C of the terminal does not
// reach them) and write into log files. A dead node is not started again by itself; the volume is.
#pragma once

#include <functional>

#include "tools/failsim/directory.h"

namespace failsim::cli {

struct SupervisorOptions {
  ClusterDirectory directory;
  ClusterDescription description;
  bool faults = false;       // faults may be injected: here, and into the nodes
  bool netns = false;        // each process in a network namespace of its own
  bool follow_logs = false;  // copy the nodes' lines to standard output
  // Called once, with the content of endpoints.json, when every node is Up and there is a leader.
  std::function<void(const json::object&)> on_ready = nullptr;
};

// Returns when the cluster was taken down: 0, or 130 after a Control-C. A cluster that does not
// come up is a Failure, and nothing is left running.
int supervise(SupervisorOptions options);

}  // namespace failsim::cli
