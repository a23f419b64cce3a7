// What must hold of who is a member, who is called Down and who is given work. In the manner of
// invariants.h.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/ids.h"
#include "cluster/invariants.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim::invariants {

// S17: a VM is given only to a node that is Up. Fed with the events of record, each once, in their
// order. (The target of a completed migration is the one that was Up when the migration started;
// S10 and `handover` see to it that it is the same process.)
class Placements {
 public:
  void node_state(NodeId node, std::uint32_t state) { states_[node] = state; }
  void given(const std::string& vm, NodeId node, const std::string& why, Findings& findings);

 private:
  std::map<NodeId, std::uint32_t> states_;  // pb::NodeState; a node that is not in it never joined
};

// S19: a node that got its heartbeats through is not called Down for being silent. Whoever looks at
// the whole world knows who did not hear whom; a leader may call a node silent only when a quorum
// has not heard it for a detection time, each at some moment that its news can be of.
class Silences {
 public:
  void formed(std::size_t nodes) { nodes_ = nodes; }
  void detection_time(NodeId node, Duration length) { detection_times_[node] = length; }
  // `node` had no newer beat of `of` than from `since`, until `until`; told once it is over, or
  // when somebody is called Down.
  void unheard(NodeId node, NodeId of, Time since, Time until);
  // Beats of a store that is not the node's own do not count with the others: nothing is asked of
  // it any more.
  void replaced(NodeId node) { replaced_.insert(node); }
  void called_down(NodeId leader, NodeId node, Time now, Findings& findings);

 private:
  struct Gap {
    Time since = 0;
    Time until = 0;
  };
  bool may_call_silent(NodeId voter, NodeId node, NodeId leader, Time now) const;
  // The gap of these two that ended last, or goes on; null if there was none.
  const Gap* last_gap(NodeId node, NodeId of) const;
  Duration window() const;

  std::size_t nodes_ = 0;
  std::map<NodeId, Duration> detection_times_;
  std::set<NodeId> replaced_;
  std::map<std::pair<NodeId, NodeId>, std::vector<Gap>> gaps_;  // (who, of whom), oldest first
};

// S19: the incarnations of a node only rise, at every replica: a process that was replaced does not
// come back.
class Incarnations {
 public:
  void node_row(NodeId replica, const pb::Node& node, Findings& findings);
  void restarted(NodeId replica);

 private:
  std::map<std::pair<NodeId, NodeId>, Incarnation> newest_;
};

// L7: once the faults are over the nodes that are whole agree on a leader and keep it, whatever is
// left broken: nothing that goes on may make them elect for ever.
class Settling {
 public:
  void faults_ended(Time now, Findings& findings);
  void fault_begins() { ended_at_ = kNever; }
  void leads(NodeId node, Term term, Time now, Findings& findings);

 private:
  Time ended_at_ = kNever;
};

}  // namespace failsim::invariants
