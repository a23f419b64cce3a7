// The applied state as a snapshot for a follower that is behind the log, and back.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/durable.h"
#include "cluster/raft/raft.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

// A picture of `state`, which contains the log up to `position`.
std::shared_ptr<const raft::SnapshotSource> snapshot_of(const ClusterState& state,
                                                        const pb::LogStart& position);

// The rows that the chunks of a snapshot carry; nothing if they are damaged.
std::optional<std::vector<RowChange>> rows_of(const std::vector<std::string>& chunks);

}  // namespace failsim
