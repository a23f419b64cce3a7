// What a leader makes of a job that was asked for another state, from what its source says.
#pragma once

#include <optional>

#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/message.pb.h"
#include "cluster/time.h"

namespace failsim {

// Of the source, as far as the leader has heard.
struct SourceSaid {
  bool lives = false;
  pb::TransferStatus status = pb::TRANSFER_IDLE;
  pb::MigrationStatistics statistics;
};

// The command to propose now; nothing while nothing is due.
//   ShuttingDown             the source stands still, or cannot, or its time is over: abort
//   a Suspend under way      the source stands still: Suspended
//   Starting in a transfer   the source goes on: Running
std::optional<pb::Command> job_step(const pb::MigrationJob& job, TaskId id, const SourceSaid& said,
                                    Duration cluster_now);

}  // namespace failsim
