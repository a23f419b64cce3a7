#include "cluster/member/log_config.h"

namespace failsim {

raft::Config log_config(const MemberConfig& config, const ClusterState& state) {
  raft::Config log;
  log.self = config.self;
  for (const auto& node : config.bootstrap.nodes()) {
    pb::Voter& voter = *log.voters.add_voters();
    voter.set_node(node.id());
    voter.set_store_id(node.store_id());
    if (node.id() != config.self) continue;
    const bool is_trusted =
        config.store_id == 0 || config.mistakes.has(Mistake::kVoteWithBlankStore);
    log.store_id = is_trusted ? node.store_id() : config.store_id;
  }
  log.election_timeout = Duration{state.cluster_dword("LogElectionTimeout")} * kMillisecond;
  log.heartbeat_interval = log.election_timeout / 5;
  log.random_seed = config.random_seed;
  log.mistakes = config.mistakes;
  return log;
}

}  // namespace failsim
