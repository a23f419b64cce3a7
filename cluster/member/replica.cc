#include "cluster/member/replica.h"

#include <cassert>
#include <utility>

#include "cluster/member/state_snapshot.h"

namespace failsim {
namespace {

ClusterState recovered_state(const pb::Bootstrap& bootstrap, const Recovered& recovered) {
  return recovered.rows.empty() ? ClusterState::born(bootstrap)
                                : ClusterState::from_rows(recovered.rows);
}

}  // namespace

Replica::Replica(const MemberConfig& config, const Recovered& recovered, Time now)
    : state_(recovered_state(config.bootstrap, recovered)),
      applied_(recovered.applied),
      applied_at_(now),
      audit_(config.check_state_every),
      mistakes_(config.mistakes) {}

Replica::Outcome Replica::apply(const pb::LogEntry& entry, Time now) {
  assert(entry.index() == applied_ + 1);
  applied_ = entry.index();
  Outcome outcome;
  if (entry.command().empty()) return outcome;  // the no-op of a new term
  const bool well_formed = outcome.command.ParseFromString(entry.command());
  assert(well_formed);
  outcome.applied = failsim::apply(state_, outcome.command, entry.index(), mistakes_);
  applied_at_ = now;
  if (outcome.command.has_check_state()) {
    outcome.agrees = audit_.check(outcome.command.check_state(), entry.index(), state_);
  }
  return outcome;
}

void Replica::install(const raft::InstalledSnapshot& snapshot, Time now, DurableBatch& durable) {
  auto rows = rows_of(snapshot.chunks);
  assert(rows.has_value());  // checked link by link on its way here
  state_ = ClusterState::from_rows(*rows);
  applied_ = snapshot.position.index();
  applied_at_ = now;
  durable.replace_rows = true;
  durable.rows = *std::move(rows);
  durable.applied = applied_;
}

void Replica::store(DurableBatch& durable) {
  for (RowChange& row : state_.take_changes()) durable.rows.push_back(std::move(row));
  durable.applied = applied_;
}

}  // namespace failsim
