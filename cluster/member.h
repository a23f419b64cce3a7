// A node of the cluster as a pure object: told the time and an event, it says what has to be done.
//
// A Member is two machines side by side: the replicated log (raft/) and the cluster service, which
// proposes commands and obeys committed ones. Whatever a real process does, the virtual world does
// with this very code. It owns no clock, socket, disk or thread; the contract with the world that
// performs its effects is in effects.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cluster/durable.h"
#include "cluster/effects.h"
#include "cluster/ids.h"
#include "cluster/mistakes.h"
#include "cluster/raft/raft.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

struct MemberConfig {
  NodeId self = kNoNode;
  // Of this process start: (starts of the store << 32) | random instance. A later start compares
  // greater, so a delayed message of a former one is recognised.
  Incarnation incarnation = 0;
  // Of the store this process has opened. One that the bootstrap record does not name for this
  // node, because it was formatted anew, has no vote. 0 = the one it names.
  StoreId store_id = 0;
  pb::Bootstrap bootstrap;
  std::uint64_t random_seed = 0;
  std::int64_t wall_time_origin_ns = 0;     // Unix time at Time 0, for display only
  Index compact_every = 10'000;             // log entries kept before the rows take their place
  Index check_state_every = 10'000;         // log entries between two comparisons of the states
  [[no_unique_address]] Mistakes mistakes;  // none, in a product
};

class Member {
 public:
  // `recovered` is what the store of this node gave back; an empty one means newly formatted.
  Member(const MemberConfig& config, const Recovered& recovered, Time now);
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // Evaluates every deadline against `now`, then the event. `now` never falls.
  void step(Time now, const Event& event, Effects& out);
  // A Tick is due at this time; nothing depends on how often more ticks come.
  Time next_deadline() const;

  // What is agreed, as far as applied here. Valid until the next step.
  const ClusterState& state() const;
  const raft::Raft& log() const;

  NodeId self() const;
  Incarnation incarnation() const;
  NodeId leader() const;                    // kNoNode if unknown
  bool has_quorum(Time now) const;          // whether this node is in contact with a quorum
  bool hears(NodeId node, Time now) const;  // within the detection time; itself always
  // Whether it is of a process that this member takes for its node's newest, in a version it knows.
  bool listens_to(const pb::PeerMessage& message) const;
  Time lease_until() const;  // guests here may execute before this time; 0 = never yet
  // A write failed, or the state is not the leader's: the process ends when the lease is over.
  bool is_failed() const;

 private:
  class Service;
  std::unique_ptr<Service> service_;
};

}  // namespace failsim
