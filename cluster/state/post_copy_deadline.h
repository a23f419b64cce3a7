// How long the pages of a post-copy may take, as the source of it may send now.
#pragma once

#include <map>

#include "cluster/ids.h"
#include "cluster/proto/state.pb.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

// post_copy_limit() at what is left to this job when its source sends as many as it may at a time.
Duration post_copy_limit(const ClusterState& state, const pb::Vm& vm, const pb::MigrationJob& job);

using PostCopyLimits = std::map<TaskId, Duration>;
// Of all jobs whose pages follow.
PostCopyLimits post_copy_limits(const ClusterState& state);
// After what they may send has changed: those that take longer than `before` get so much more time.
// Nobody gets less.
void extend_post_copies(ClusterState& state, const PostCopyLimits& before);

}  // namespace failsim
