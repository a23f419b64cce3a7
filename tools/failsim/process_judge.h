// The verdict over a run on processes: what the processes have recorded and what was seen of them,
// before the same judge as a run in virtual time.
#pragma once

#include "tools/failsim/process_run.h"
#include "tools/scenario/outcome.h"

namespace failsim::cli {

// Nothing may run in the directory. `sink`, if any, gets every fact up to the time at which the
// cluster was taken down. What cannot be judged makes the run inconclusive ("facts").
scenario::Outcome judge_process_run(const ClusterDirectory& directory, const ProcessStory& story,
                                    history::Sink* sink);

// S11, S12: what the journals on the shared volume hold in the end, whoever was watched writing
// them.
void check_journals(const ClusterDirectory& directory, scenario::Outcome& outcome);

// S23: the logs show no process that ended by itself. Nothing may run there.
void check_logs(const ClusterDirectory& directory, const ClusterDescription& description,
                scenario::Outcome& outcome);

}  // namespace failsim::cli
