#include "cluster/crash_invariants.h"

#include <algorithm>

namespace failsim::invariants {
namespace {

// What may come on top of twice the detection time: elections that are repeated, the sync of a slow
// disk, the registration at the volume, the boot.
constexpr Duration kFailoverSlack = 10 * kSecond;

}  // namespace

// ---- S2 -----------------------------------------------------------------------------------------

void QuorumContact::formed(const std::vector<NodeId>& nodes) {
  nodes_ = nodes;
  for (const NodeId node : nodes) lost_at_[node] = 0;
}

void QuorumContact::lease_length(Duration length) {
  lease_ = std::max(lease_, length);
}

void QuorumContact::runs(NodeId node, bool runs, Time now, Findings& findings) {
  if (runs) {
    running_.insert(node);
  } else {
    running_.erase(node);
  }
  recount(now, findings);
}

void QuorumContact::died(NodeId node, Time now, Findings& findings) {
  until_.erase(node);
  runs(node, false, now, findings);
}

void QuorumContact::link(NodeId from, NodeId to, bool open, Time now, Findings& findings) {
  if (open) {
    cut_.erase(std::pair(from, to));
  } else {
    cut_.insert(std::pair(from, to));
  }
  recount(now, findings);
}

// How many each running node reaches, itself included. A quorum round needs an answer: only links
// that are open both ways count, so those who reach each other are one group.
std::map<NodeId, std::size_t> QuorumContact::reached() const {
  std::map<NodeId, std::size_t> sizes;
  std::vector<NodeId> left(running_.begin(), running_.end());
  while (!left.empty()) {
    std::vector<NodeId> group = {left.back()};
    left.pop_back();
    for (std::size_t i = 0; i < group.size(); ++i) {
      const NodeId here = group[i];
      const auto met = std::partition(left.begin(), left.end(), [&](NodeId other) {
        return cut_.contains({here, other}) || cut_.contains({other, here});
      });
      group.insert(group.end(), met, left.end());
      left.erase(met, left.end());
    }
    for (const NodeId node : group) sizes[node] = group.size();
  }
  return sizes;
}

void QuorumContact::recount(Time now, Findings& findings) {
  std::map<NodeId, std::size_t> sizes = reached();
  for (const NodeId node : nodes_) {
    if (sizes[node] * 2 > nodes_.size()) {
      lost_at_.erase(node);
    } else if (lost_at_.emplace(node, now).second) {
      for (const auto& [vm, until] : until_[node]) check(vm, node, until, findings);
    }
  }
}

void QuorumContact::executes(const std::string& vm, NodeId node, Time until, Findings& findings) {
  until_[node][vm] = until;
  check(vm, node, until, findings);
}

void QuorumContact::stops(const std::string& vm, NodeId node, Time now) {
  const auto found = until_[node].find(vm);
  if (found != until_[node].end()) found->second = std::min(found->second, now);
}

void QuorumContact::check(const std::string& vm, NodeId node, Time until, Findings& findings) {
  const auto lost = lost_at_.find(node);
  if (lost == lost_at_.end() || until <= lost->second) return;
  findings.evaluated("S2");
  if (until - lost->second > lease_) {
    findings.add("S2", node_name(node) + " may execute VM " + vm + " for " +
                           std::to_string((until - lost->second) / kMillisecond) +
                           " ms without a quorum; a lease is " +
                           std::to_string(lease_ / kMillisecond) + " ms");
  }
}

// ---- S8 -----------------------------------------------------------------------------------------

Stores::Content Stores::content(const pb::HardState& hard_state, const pb::LogStart& last) {
  return Content{hard_state.term(), hard_state.voted_for(), last.index(), last.term(),
                 last.checksum()};
}

void Stores::given(NodeId node, std::uint64_t sequence, const Content& content) {
  states_[node].emplace_back(sequence, content);
}

void Stores::synced(NodeId node, std::uint64_t sequence) {
  auto& states = states_[node];
  while (states.size() > 1 && states[1].first <= sequence) states.pop_front();
}

void Stores::opened(NodeId node, const Content& found, Findings& findings) {
  auto& states = states_[node];
  const bool is_known = std::any_of(states.begin(), states.end(),
                                    [&](const auto& state) { return state.second == found; });
  if (!states.empty()) {
    findings.evaluated("S8");
    if (!is_known) {
      findings.add("S8", "the store of " + node_name(node) + " opens with term " +
                             std::to_string(found.term) + " and a log that ends at entry " +
                             std::to_string(found.index) + ", which it never held or has lost");
    }
  }
  states = {{0, found}};
}

// ---- L5 -----------------------------------------------------------------------------------------

void Failovers::formed(const std::vector<NodeId>& nodes) {
  nodes_ = nodes;
  down_.insert(nodes.begin(), nodes.end());
}

void Failovers::detection_time(Duration length) {
  detection_time_ = std::max(detection_time_, length);
}

void Failovers::fault_begins(std::uint64_t id, const std::vector<NodeId>& nodes) {
  faults_[id] = nodes;
  // The fault that killed the node may be told after the death.
  std::erase_if(lost_,
                [&](const auto& vm) { return nodes != std::vector<NodeId>{vm.second.node}; });
}

void Failovers::link(NodeId from, NodeId to, bool open) {
  if (open) {
    cut_.erase(std::pair(from, to));
  } else {
    cut_.insert(std::pair(from, to));
    lost_.clear();
  }
}

void Failovers::process_stopped(NodeId node) {
  down_.insert(node);
  lost_.clear();
}

void Failovers::process_continued(NodeId node) {
  down_.erase(node);
  lost_.clear();
}

bool Failovers::nothing_else_is_wrong(NodeId lost) const {
  const bool only_its_faults = std::all_of(faults_.begin(), faults_.end(), [&](const auto& fault) {
    return fault.second == std::vector<NodeId>{lost};
  });
  return only_its_faults && cut_.empty() && down_.empty() &&
         (nodes_.size() - 1) * 2 > nodes_.size();
}

// Otherwise a VM may have to wait for memory, which is right.
bool Failovers::all_fit_one_node() const {
  std::uint64_t all = 0;
  for (const auto& [vm, bytes] : all_vms_) all += bytes;
  return memory_.size() == nodes_.size() &&
         std::all_of(memory_.begin(), memory_.end(),
                     [&](const auto& node) { return all <= node.second; });
}

void Failovers::process_ended(NodeId node, Time now) {
  lost_.clear();
  if (nothing_else_is_wrong(node) && all_fit_one_node()) {
    for (const auto& [vm, execution] : executions_) {
      if (execution.node == node && execution.until > now && undisturbed_.contains(vm)) {
        lost_[vm] = Lost{node, now};
      }
    }
  }
  down_.insert(node);
}

void Failovers::vm_row(const pb::Vm& vm) {
  all_vms_[vm.name()] = vm.config().memory_bytes();
  const bool is_left_alone =
      vm.want() == pb::GUEST_RUNNING && vm.job() == 0 && vm.operation().task() == 0;
  if (is_left_alone) {
    undisturbed_[vm.name()] = vm.config().memory_bytes();
  } else {
    undisturbed_.erase(vm.name());
    lost_.erase(vm.name());
  }
}

void Failovers::deleted(const std::string& vm) {
  all_vms_.erase(vm);
  undisturbed_.erase(vm);
  lost_.erase(vm);
}

void Failovers::executes(const std::string& vm, NodeId node, Time until, Findings& findings) {
  executions_[vm] = Execution{node, until};
  if (lost_.erase(vm) > 0) findings.evaluated("L5");
}

void Failovers::stops(const std::string& vm, NodeId node) {
  const auto found = executions_.find(vm);
  if (found != executions_.end() && found->second.node == node) executions_.erase(found);
}

Duration Failovers::bound() const {
  return 2 * detection_time_ + kFailoverSlack;
}

void Failovers::time_passes(Time now, Findings& findings) {
  for (auto entry = lost_.begin(); entry != lost_.end();) {
    const auto& [vm, lost] = *entry;
    if (now <= lost.since + bound()) {
      ++entry;
      continue;
    }
    findings.evaluated("L5");
    findings.add("L5", "VM " + vm + " of " + node_name(lost.node) + ", which died, executes " +
                           "nowhere after " + std::to_string(bound() / kMillisecond) + " ms");
    entry = lost_.erase(entry);
  }
}

}  // namespace failsim::invariants
