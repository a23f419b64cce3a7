// This node's copy of the agreed state: recovered, brought forward entry by entry, or replaced by a
// snapshot, and compared with the leader's now and then.
#pragma once

#include <optional>

#include "cluster/durable.h"
#include "cluster/ids.h"
#include "cluster/member.h"
#include "cluster/member/state_audit.h"
#include "cluster/proto/command.pb.h"
#include "cluster/state/apply.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

class Replica {
 public:
  // What applying one entry did.
  struct Outcome {
    pb::Command command;  // empty: the first entry of a term
    Applied applied;
    bool agrees = true;  // false: the state has turned out to differ from the leader's
  };

  Replica(const MemberConfig& config, const Recovered& recovered, Time now);

  const ClusterState& state() const { return state_; }
  Index applied() const { return applied_; }
  // Cluster time as this node sees it at `now`.
  Duration cluster_time(Time now) const { return state_.cluster().time_ns() + (now - applied_at_); }

  // The entry after the last applied one.
  Outcome apply(const pb::LogEntry& entry, Time now);
  // Replaces everything; what has to be stored goes into `durable`.
  void install(const raft::InstalledSnapshot& snapshot, Time now, DurableBatch& durable);
  // The rows changed since the last call go into `durable`.
  void store(DurableBatch& durable);

  // On the leader: the next comparison of the states, if it is time to propose one (state_audit.h).
  std::optional<pb::Command> due_check() const { return audit_.due(applied_); }
  void check_proposed(Index index) { audit_.proposed(index); }

 private:
  ClusterState state_;
  Index applied_;
  Time applied_at_;  // local time of the newest cluster time
  StateAudit audit_;
  [[no_unique_address]] Mistakes mistakes_;
};

}  // namespace failsim
