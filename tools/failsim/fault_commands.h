// What the supervisor of a cluster that was started with --faults does about them: it obeys the
// commands of `failsim fault`, performs what concerns whole processes (process_faults.h), and has
// it stand among the cluster's events.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

#include "storage/failpoint_board.h"
#include "tools/failsim/directory.h"
#include "tools/failsim/fault_teller.h"
#include "tools/failsim/json.h"
#include "tools/failsim/process_faults.h"

namespace failsim::cli {

class FaultCommands {
 public:
  // `outside` lacks the board of the named points, which is made in the cluster's directory. Of
  // each beginning and end of a fault its `note` is told, and then the cluster. A Failure if the
  // board cannot be made.
  FaultCommands(const ClusterDirectory& directory, const ClusterDescription& description,
                const std::string& token, ProcessFaults::Outside outside);

  // The answer to "fault-id", "fault-list", "fault-heal" or the injection of an order. A Failure
  // says why it cannot be done.
  json::object obey(const std::string& verb, const json::object& command);

  ProcessFaults& faults() { return *faults_; }
  const ProcessFaults& faults() const { return *faults_; }
  // What is not told to the cluster yet stays untold.
  void request_stop() { teller_.request_stop(); }

 private:
  FaultTeller teller_;
  std::unique_ptr<FailpointBoard> board_;
  std::optional<ProcessFaults> faults_;  // always there once constructed
};

}  // namespace failsim::cli
