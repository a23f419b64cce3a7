// Everything that the processes of a recorded cluster have left behind, read and put in one order.
#pragma once

#include <string>
#include <vector>

#include "cluster/migration/handover.h"
#include "cluster/time.h"
#include "storage/observations.h"
#include "storage/recording.h"
#include "tools/failsim/directory.h"

namespace failsim::cli {

// One observation and who wrote it down; node 0: the shared volume or the launcher.
struct Observed {
  Time at = 0;  // by the kernel's clock, as all times here
  handover::Process by;
  pb::Observation what;
};

struct RecordedCluster {
  ClusterDescription description;
  std::vector<Recording> recordings;  // by node, then by start
  std::vector<Observed> observed;     // by time
  Time began_at = 0;
  // Up to here everything is known that happened; what follows is known in part, or not at all.
  Time known_until = 0;
  std::string known_until_why;  // one sentence, if that is before the end

  // The name of the signal that ended this process by itself, as an assertion does; empty if none.
  std::string crash_of(const handover::Process& process) const;
};

// A Failure if there is no cluster (kNotFound), if it was not recorded from its birth, or if the
// machine was started anew meanwhile (kInvalidState), if a file is damaged (kInvalidData).
RecordedCluster read_recorded_cluster(const ClusterDirectory& directory);

}  // namespace failsim::cli
