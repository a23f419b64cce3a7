// Compares the states of the replicas while the log goes on: one that differs must not go on.
//
// Every so many entries the leader proposes CheckState. Applying it, each replica hashes its state
// and remembers the hash; the next CheckState carries what the leader had at the former one. So the
// comparison costs one hash of the state on every node and one small entry, and a divergence shows
// one period later.
#pragma once

#include <cstdint>
#include <optional>

#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

class StateAudit {
 public:
  explicit StateAudit(Index every) : every_(every) {}

  // The command is applied at `index`. False if this replica had another state than the leader at
  // the former check; one that was not there then has nothing to compare.
  bool check(const pb::Command::CheckState& command, Index index, const ClusterState& state);

  // On the leader: the command to propose, if it is time.
  std::optional<pb::Command> due(Index applied) const;
  void proposed(Index index) { proposed_at_ = index; }

 private:
  const Index every_;
  Index hashed_at_ = 0;
  std::uint64_t hash_ = 0;
  Index proposed_at_ = 0;
};

}  // namespace failsim
