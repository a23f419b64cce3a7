// What must hold when processes die and links are cut: the checkers that need to know who could
// reach whom. In the manner of invariants.h.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/ids.h"
#include "cluster/invariants.h"
#include "cluster/proto/raft.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim::invariants {

// S2: a node that cannot reach a majority executes no guest for longer than a lease. Only the
// network and the processes are looked at, never what the members believe: without a majority that
// it reaches in both directions a node cannot have asked for a lease and got it.
class QuorumContact {
 public:
  void formed(const std::vector<NodeId>& nodes);
  // No lease is longer; the longest of all that were told counts.
  void lease_length(Duration length);
  void runs(NodeId node, bool runs, Time now, Findings& findings);
  void died(NodeId node, Time now, Findings& findings);  // with its guests
  void link(NodeId from, NodeId to, bool open, Time now, Findings& findings);
  void executes(const std::string& vm, NodeId node, Time until, Findings& findings);
  void stops(const std::string& vm, NodeId node, Time now);

 private:
  void recount(Time now, Findings& findings);
  std::map<NodeId, std::size_t> reached() const;
  void check(const std::string& vm, NodeId node, Time until, Findings& findings);

  std::vector<NodeId> nodes_;
  Duration lease_ = 0;
  std::set<NodeId> running_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<NodeId, Time> lost_at_;  // those without a majority, and since when
  std::map<NodeId, std::map<std::string, Time>> until_;
};

// S8: a store that is opened again holds what one of its synced states was: nothing that was
// written is lost, and nothing is there that was never written.
class Stores {
 public:
  struct Content {
    Term term = 0;
    NodeId voted_for = kNoNode;
    Index index = 0;  // of the last entry of the log, and what is in it
    Term last_term = 0;
    std::uint32_t checksum = 0;
    bool operator==(const Content&) const = default;
  };
  static Content content(const pb::HardState& hard_state, const pb::LogStart& last);

  // The store is given this batch, after which it will hold this. Sequences rise.
  void given(NodeId node, std::uint64_t sequence, const Content& content);
  void synced(NodeId node, std::uint64_t sequence);
  void opened(NodeId node, const Content& found, Findings& findings);
  // Another disk is in its place: nothing can be asked of what it holds.
  void replaced(NodeId node) { states_.erase(node); }

 private:
  // The newest synced state, then those that may or may not have been written.
  std::map<NodeId, std::deque<std::pair<std::uint64_t, Content>>> states_;
};

// L5: when a node dies and nothing else is wrong, its VMs execute elsewhere within a bound: twice
// the detection time (to see it, to wait for its leases) and what an election, a boot and a
// registration take. Any other trouble, or an operator who acts on the VM, ends the measurement.
class Failovers {
 public:
  void formed(const std::vector<NodeId>& nodes);
  void detection_time(Duration length);
  void memory(NodeId node, std::uint64_t bytes) { memory_[node] = bytes; }
  void fault_begins(std::uint64_t id, const std::vector<NodeId>& nodes);
  void fault_ends(std::uint64_t id) { faults_.erase(id); }
  void link(NodeId from, NodeId to, bool open);
  void process_started(NodeId node) { down_.erase(node); }
  void process_ended(NodeId node, Time now);
  void process_stopped(NodeId node);
  void process_continued(NodeId node);
  void vm_row(const pb::Vm& vm);
  void deleted(const std::string& vm);
  void executes(const std::string& vm, NodeId node, Time until, Findings& findings);
  void stops(const std::string& vm, NodeId node);
  void time_passes(Time now, Findings& findings);

 private:
  struct Execution {
    NodeId node = kNoNode;
    Time until = 0;
  };
  struct Lost {
    NodeId node = kNoNode;
    Time since = 0;
  };
  bool nothing_else_is_wrong(NodeId lost) const;
  bool all_fit_one_node() const;
  Duration bound() const;

  std::vector<NodeId> nodes_;
  Duration detection_time_ = 0;
  std::map<NodeId, std::uint64_t> memory_;
  std::map<std::uint64_t, std::vector<NodeId>> faults_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::set<NodeId> down_;
  std::map<std::string, Execution> executions_;
  std::map<std::string, std::uint64_t> undisturbed_;  // VMs that should run, with their memory
  std::map<std::string, std::uint64_t> all_vms_;      // memory
  std::map<std::string, Lost> lost_;
};

}  // namespace failsim::invariants
