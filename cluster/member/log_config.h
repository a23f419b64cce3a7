// How the replicated log of a member is set up: its voters and its timers.
#pragma once

#include "cluster/member.h"
#include "cluster/raft/raft.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

// `state`: what the member starts with; a later change of a timer counts from the next start.
raft::Config log_config(const MemberConfig& config, const ClusterState& state);

}  // namespace failsim
