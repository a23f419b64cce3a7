#include "cluster/member/state_audit.h"

#include <algorithm>

namespace failsim {

bool StateAudit::check(const pb::Command::CheckState& command, Index index,
                       const ClusterState& state) {
  const bool comparable = command.former_index() != 0 && command.former_index() == hashed_at_;
  const bool agrees = !comparable || command.former_hash() == hash_;
  hashed_at_ = index;
  hash_ = state.hash();
  return agrees;
}

std::optional<pb::Command> StateAudit::due(Index applied) const {
  if (applied < std::max(hashed_at_, proposed_at_) + every_) return std::nullopt;
  pb::Command command;
  command.mutable_check_state()->set_former_index(hashed_at_);
  command.mutable_check_state()->set_former_hash(hash_);
  return command;
}

}  // namespace failsim
