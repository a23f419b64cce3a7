// The four roles, each with the data only it has.
//
//   Follower     -> PreCandidate  no leader heard until election_at
//   PreCandidate -> Candidate     a quorum would vote for it
//   Candidate    -> Leader        a quorum, itself included, has stored a vote for it
//   Candidate    -> PreCandidate  nobody won until election_at
//   any          -> Follower      a higher term, or a leader of its own term, was heard
//   Leader       -> Follower      also when no quorum was heard within the election timeout
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <variant>

#include "cluster/ids.h"
#include "cluster/raft/confirmations.h"
#include "cluster/raft/progress.h"
#include "cluster/time.h"

namespace failsim::raft {

struct Follower {
  NodeId leader = kNoNode;  // kNoNode: none heard in this term
  Time heard_at = 0;        // of the leader, if any
  Time election_at = kNever;
};

struct PreCandidate {
  std::set<NodeId> granted;
  Time election_at = kNever;
};

struct Candidate {
  std::set<NodeId> granted;  // contains itself only once its vote is synced
  std::uint64_t vote_mark = 0;
  Time election_at = kNever;
};

struct Leader {
  Time elected_at = 0;
  Index noop_index = 0;     // its term's first entry
  std::uint64_t round = 0;  // of the last message sent
  Time heartbeat_at = 0;
  std::map<NodeId, Progress> followers;
  Confirmations confirmations;
};

using RoleState = std::variant<Follower, PreCandidate, Candidate, Leader>;

}  // namespace failsim::raft
