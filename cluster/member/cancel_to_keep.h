// A cancel while there is no leader to order it.
//
// Nothing is decided by it: the migration is only held at its source, as after a Suspend, until the
// cancel is ordered or given up. Once it is ordered the first entry in the log wins, as always.
#pragma once

#include <optional>

#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

// It is kept, and held to, for so long after it was asked for.
inline constexpr Duration kCancelKept = 60 * kSecond;
// Its client hears that it is not ordered yet after this long without a leader: an election mostly
// takes less, and then the answer is the final one.
inline constexpr Duration kElectionPatience = 250 * kMillisecond;

struct CancelToKeep {
  TaskId job = 0;
  NodeId source = kNoNode;  // of the pages that are not to be sent
  pb::Request request;      // for this job and no later one of the VM
  pb::Reply reply;          // "accepted, and not ordered yet": 997, of a state change 4096
};

// Of a request made at, or handed to, `self`. Nothing unless it would cancel a migration if it were
// ordered now, as far as `state` goes: in Move it would be refused, which only the log can tell.
std::optional<CancelToKeep> cancel_to_keep(const ClusterState& state, const pb::Request& request,
                                           NodeId self);

}  // namespace failsim
