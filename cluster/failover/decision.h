// One look of a leader at what it sees, and the commands it leads to.
//
// Who decides (node_watch.h, guest_watch.h, failover.h, migration_conductor.h) reads the view and
// proposes. Every command has a key: while one is on its way, no other is proposed under its key.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/ids.h"
#include "cluster/membership/failure_detector.h"
#include "cluster/membership/lease.h"
#include "cluster/mistakes.h"
#include "cluster/proto/command.pb.h"
#include "cluster/state/cluster_state.h"
#include "cluster/time.h"

namespace failsim {

// What a decision looks at.
struct LeaderView {
  const ClusterState& state;
  const FailureDetector& detector;
  const LeaseGrantor& leases;
  NodeId self;
  Incarnation incarnation;  // of the leader itself
  std::size_t quorum;       // members that have to agree
  bool leased;              // the leader itself holds a lease: it can be renewed
  Time now;
  Duration cluster_now;  // cluster time
  [[no_unique_address]] Mistakes mistakes;
};

// A command to propose, and the names under which it is not proposed again while it is on its way.
struct Proposal {
  std::vector<std::string> keys;
  pb::Command command;
};

class Decision {
 public:
  // `on_their_way`: the keys of what was proposed and is not applied yet.
  Decision(const LeaderView& view, const std::map<std::string, Index>& on_their_way)
      : view_(view), on_their_way_(on_their_way), detection_time_(view.state.detection_time()) {}

  const LeaderView& view() const { return view_; }
  const ClusterState& state() const { return view_.state; }
  Duration detection_time() const { return detection_time_; }
  bool is_on_its_way(const std::string& key) const { return on_their_way_.contains(key); }

  // Nothing is proposed if something is on its way under the key.
  void propose(std::string key, pb::Command command) {
    if (!is_on_its_way(key)) propose_all({std::move(key)}, std::move(command));
  }
  // One command for several keys, none of which is on its way.
  void propose_all(std::vector<std::string> keys, pb::Command command) {
    proposals_.push_back({std::move(keys), std::move(command)});
  }
  // Something can be decided at this time although nothing is heard until then.
  void look_again_at(Time time) { look_again_at_ = std::min(look_again_at_, time); }

  std::vector<Proposal> take_proposals() { return std::move(proposals_); }
  Time next_look() const { return look_again_at_; }

 private:
  const LeaderView& view_;
  const std::map<std::string, Index>& on_their_way_;
  const Duration detection_time_;
  std::vector<Proposal> proposals_;
  Time look_again_at_ = kNever;
};

// Whether this process of the node is Up.
inline bool lives(const ClusterState& state, NodeId id, Incarnation incarnation) {
  const pb::Node* node = state.node(id);
  return node != nullptr && node->state() == pb::NODE_UP && node->incarnation() == incarnation;
}

inline bool owner_lives(const ClusterState& state, const pb::Vm& vm) {
  return lives(state, vm.owner(), vm.owner_incarnation());
}

}  // namespace failsim
