#include "cluster/membership_invariants.h"

#include <algorithm>

namespace failsim::invariants {
namespace {

// What a view needs on its way beyond the detection times: decisions, writes, elections.
constexpr Duration kOnTheWay = 2 * kSecond;
// Elections are repeated while processes start and disks are slow.
constexpr Duration kSettlingTime = 10 * kSecond;
// Gaps that are remembered of a pair of nodes.
constexpr std::size_t kGapsKept = 16;

}  // namespace

// ---- S17 ----------------------------------------------------------------------------------------

void Placements::given(const std::string& vm, NodeId node, const std::string& why,
                       Findings& findings) {
  findings.evaluated("S17");
  const auto found = states_.find(node);
  if (found != states_.end() && found->second == pb::NODE_UP) return;
  findings.add("S17",
               "VM " + vm + " is given to " + node_name(node) + ", which is not Up (" + why + ")");
}

// ---- S19 ----------------------------------------------------------------------------------------

void Silences::unheard(NodeId node, NodeId of, Time since, Time until) {
  std::vector<Gap>& gaps = gaps_[std::pair(node, of)];
  if (!gaps.empty() && since <= gaps.back().until) {
    gaps.back() = {std::min(gaps.back().since, since), std::max(gaps.back().until, until)};
    return;
  }
  if (gaps.size() == kGapsKept) gaps.erase(gaps.begin());
  gaps.push_back({since, until});
}

const Silences::Gap* Silences::last_gap(NodeId node, NodeId of) const {
  const auto found = gaps_.find(std::pair(node, of));
  return found == gaps_.end() ? nullptr : &found->second.back();
}

// As long as news is believed, twice: the voter's of the node and the leader's of the voter.
Duration Silences::window() const {
  Duration longest = 0;
  for (const auto& [node, length] : detection_times_) longest = std::max(longest, length);
  return 2 * longest + kOnTheWay;
}

// Whether the last news that the leader can have of the voter may say that it does not hear `node`.
bool Silences::may_call_silent(NodeId voter, NodeId node, NodeId leader, Time now) const {
  const Gap* silence = last_gap(voter, node);
  if (silence == nullptr) return false;
  Time from = now - window();
  const Gap* old_news = voter == leader ? nullptr : last_gap(leader, voter);
  if (old_news != nullptr && old_news->until >= from) {
    from = std::min(from, old_news->since - window());
  }
  return silence->until >= from;
}

void Silences::called_down(NodeId leader, NodeId node, Time now, Findings& findings) {
  if (replaced_.contains(node)) return;
  findings.evaluated("S19");
  std::size_t votes = 0;
  for (NodeId voter = 1; voter <= nodes_; ++voter) {
    if (voter != node && may_call_silent(voter, node, leader, now)) ++votes;
  }
  if (votes * 2 > nodes_) return;
  findings.add("S19", node_name(leader) + " calls " + node_name(node) + " silent, and only " +
                          std::to_string(votes) + " of " + std::to_string(nodes_) +
                          " nodes have not heard it in time");
}

void Incarnations::node_row(NodeId replica, const pb::Node& node, Findings& findings) {
  findings.evaluated("S19");
  Incarnation& newest = newest_[std::pair(replica, node.id())];
  if (node.incarnation() < newest) {
    findings.add("S19", "at " + node_name(replica) + " a former process of " +
                            node_name(node.id()) + " takes the place of a later one");
  }
  newest = std::max(newest, node.incarnation());
}

void Incarnations::restarted(NodeId replica) {
  std::erase_if(newest_, [&](const auto& entry) { return entry.first.first == replica; });
}

// ---- L7 -----------------------------------------------------------------------------------------

void Settling::leads(NodeId node, Term term, Time now, Findings& findings) {
  if (ended_at_ == kNever || now <= ended_at_ + kSettlingTime) return;
  findings.add("L7", node_name(node) + " is elected in term " + std::to_string(term) + ", " +
                         std::to_string((now - ended_at_) / kMillisecond) +
                         " ms after the faults have ended");
}

void Settling::faults_ended(Time now, Findings& findings) {
  ended_at_ = now;
  findings.evaluated("L7");
}

}  // namespace failsim::invariants
