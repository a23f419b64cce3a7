// Faults as those who performed them wrote them down, told to a witness: each once, from its first
// part to its last, and what it means for who can reach whom.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/fault/order.h"
#include "cluster/migration/handover.h"
#include "storage/proto/observation.pb.h"
#include "tools/report/checker.h"

namespace failsim::cli {

class RecordedFaults {
 public:
  RecordedFaults(history::Checker& checker, std::vector<NodeId> nodes)
      : checker_(checker), nodes_(std::move(nodes)) {}

  // Part of a fault that `performer` performs: a node process, or (node 0) the launcher. To be said
  // of all parts before the first begins: a fault is told with every node it concerns.
  void expect(const handover::Process& performer, const pb::Observation::FaultBegan& began);

  void began(const handover::Process& performer, const pb::Observation::FaultBegan& began);
  void ended(const handover::Process& performer, std::uint64_t id);
  // A process takes its parts with it.
  void process_ended(const handover::Process& process);
  void process_started(NodeId node) { running_.insert(node); }

 private:
  using Link = std::pair<NodeId, NodeId>;
  struct Fault {
    std::set<std::string> orders;  // of its parts: each performer has its own
    std::set<NodeId> concerns;
    std::map<handover::Process, fault::Order> parts;  // in force
    std::uint64_t told_as = 0;
  };

  static std::string text_of(const Fault& fault);
  std::vector<Link> cut_links(NodeId self, const fault::Order& order) const;
  void act(const handover::Process& performer, const fault::Order& order, bool begins);
  void change_link(const Link& link, bool cuts);

  history::Checker& checker_;
  const std::vector<NodeId> nodes_;
  std::map<std::uint64_t, Fault> faults_;
  std::map<Link, int> cuts_;
  std::set<NodeId> running_;
};

}  // namespace failsim::cli
