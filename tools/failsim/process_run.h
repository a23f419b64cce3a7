// Runs a scenario on real processes: a cluster of its own, real time, faults by those who perform
// them, and what its interface shows.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/failsim/directory.h"
#include "tools/failsim/retelling.h"
#include "tools/scenario/scenario.h"

namespace failsim::cli {

// What came of it, as far as the one who runs it can tell. The judge hears it together with what
// the processes have recorded (process_judge.h).
struct ProcessStory {
  std::vector<SeenFact> facts;  // complaints are expectations that were not held
  std::map<std::string, std::uint64_t> coverage;
  Time ended_at = 0;      // by the kernel's clock: then the cluster was taken down
  bool is_whole = false;  // and was whole and at rest
  Duration duration = 0;  // of the steps and the recovery
};

// The scenario has passed lint; the directory is empty or missing and stays behind with the logs
// and recordings. Nothing runs when this returns. A run that does not end within `timeout` is ended
// and says so ("timeout"). `netns`: each process has a network namespace of its own.
ProcessStory run_on_processes(const scenario::Scenario& scenario, const ClusterDirectory& directory,
                              std::chrono::milliseconds timeout, bool netns);

}  // namespace failsim::cli
