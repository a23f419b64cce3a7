#include "tools/sim/targeted_faults.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/fault/value.h"

namespace failsim::sim {
namespace {

std::string link(NodeId from, NodeId to) {
  return node_name(from) + "->" + node_name(to);
}

}  // namespace

std::string TargetedFaults::begin() {
  const NodeId leading = leader();
  if (is_under_way_ || leading == kNoNode || world_.nodes().size() < 3) return "";
  is_under_way_ = true;
  switch (random_.below(world_.nodes().size() == 3 ? 3 : 2)) {
    case 0:
      depose(leading);
      return "depose";
    case 1:
      give_up_and_return(leading);
      return "return";
    default:
      figure_eight(leading);
      return "figure eight";
  }
}

// ---- Depose -------------------------------------------------------------------------------------

void TargetedFaults::depose(NodeId leading) {
  // Later and later, but never so much at once that it misses the quorum.
  const auto answer_after = [this, leading](Duration delay) {
    heal(late_);
    late_ = order("link-delay all->" + node_name(leading) + " min=" + fault::exact_duration(delay) +
                  " max=" + fault::exact_duration(delay + 100 * kMillisecond));
  };
  answer_after(200 * kMillisecond);
  after(500 * kMillisecond, [answer_after] { answer_after(450 * kMillisecond); });
  after(1200 * kMillisecond, [answer_after] { answer_after(700 * kMillisecond); });
  after(draw(1400 * kMillisecond, 2400 * kMillisecond),
        [this, leading] { order("link-cut " + node_name(leading) + "->all"); });
  after(draw(4 * kSecond, 6 * kSecond), [this] { end(); });
}

// ---- Return -------------------------------------------------------------------------------------

void TargetedFaults::give_up_and_return(NodeId leading) {
  const std::vector<NodeId> candidates = others(leading);
  const NodeId node = candidates[random_.below(candidates.size())];
  const FaultId silent = order("link-cut " + node_name(node) + "->all class=heartbeat");
  const auto is_down = [this, leading, node] {
    if (!world_.is_running(leading)) return false;
    return world_.member(leading).state().node(node)->state() == pb::NODE_DOWN;
  };
  when(is_down, 4 * kSecond, [this, leading, node, silent] {
    // Its last lease was granted at most a quarter of that ago; until all others have said that
    // they hear it again, up to two heartbeats pass.
    const ClusterState& state = world_.member(leading).state();
    const Duration lease = state.detection_time();
    const Duration early = draw(0, 2 * state.heartbeat_interval() + lease / 4);
    after(std::max<Duration>(0, lease - early), [this, leading, node, silent] {
      heal(silent);
      order("link-delay " + link(leading, node) + " min=0s max=400ms");
      after(draw(kSecond, 3 * kSecond), [this] { end(); });
    });
  });
}

// ---- Figure eight -------------------------------------------------------------------------------

// The first leader is cut off and goes on appending; the others elect the second.
void TargetedFaults::figure_eight(NodeId first) {
  const FaultId cut = cut_off(first);
  const auto another_leads = [this, first] {
    const NodeId leading = leader();
    return leading != kNoNode && leading != first;
  };
  when(another_leads, 4 * kSecond, [this, first, cut] { second_leader(first, leader(), cut); });
}

// The second is cut off before anybody has its first entry; the first is heard again.
void TargetedFaults::second_leader(NodeId first, NodeId second, FaultId first_cut) {
  NodeId third = kNoNode;
  for (const NodeId node : world_.nodes()) {
    if (node != first && node != second) third = node;
  }
  const FaultId cut = cut_off(second);
  heal(first_cut);
  const auto stands = [this, first] {
    return world_.is_running(first) && world_.disk(first).is_idle() &&
           world_.member(first).log().role() == raft::Role::kCandidate;
  };
  when(stands, 6 * kSecond, [this, first, third, cut] { first_leads_again(first, third, cut); });
}

// Its vote is stored, its first entry as a leader will not be: then it dies, and the second is
// heard by it alone.
void TargetedFaults::first_leads_again(NodeId first, NodeId third, FaultId second_cut) {
  const FaultId stall = order("disk-stall " + node_name(first));
  when([this, first] { return leads(first); }, 2 * kSecond,
       [this, first, third, second_cut, stall] {
         after(draw(5 * kMillisecond, 300 * kMillisecond), [this, first, third, second_cut, stall] {
           const FaultId dead = order("power-off " + node_name(first) + " evidence=silent");
           heal(stall);
           cut_off(third);
           heal(second_cut);
           heal(dead);
           after(draw(2 * kSecond, 4 * kSecond), [this] { end(); });
         });
       });
}

// ---- What they share ----------------------------------------------------------------------------

bool TargetedFaults::leads(NodeId node) const {
  return world_.is_running(node) && world_.member(node).log().leads();
}

NodeId TargetedFaults::leader() const {
  NodeId newest = kNoNode;
  for (const NodeId node : world_.nodes()) {
    if (!leads(node)) continue;
    const bool is_newer =
        newest == kNoNode || world_.member(node).log().term() > world_.member(newest).log().term();
    if (is_newer) newest = node;
  }
  return newest;
}

std::vector<NodeId> TargetedFaults::others(NodeId node) const {
  std::vector<NodeId> others;
  for (const NodeId other : world_.nodes()) {
    if (other != node) others.push_back(other);
  }
  return others;
}

FaultId TargetedFaults::cut_off(NodeId node) {
  return order("link-cut " + node_name(node) + "<->all");
}

FaultId TargetedFaults::order(const std::string& line) {
  const Result<fault::Order> order = fault::parse_order(line);
  assert(order.ok());
  const Result<FaultId> injected = injector_.inject(order.value());
  if (!injected) return 0;
  ordered_.insert(injected.value());
  return injected.value();
}

void TargetedFaults::heal(FaultId fault) {
  if (ordered_.erase(fault) > 0) injector_.heal(fault);
}

Duration TargetedFaults::draw(Duration from, Duration to) {
  return from + static_cast<Duration>(random_.below(static_cast<std::uint64_t>(to - from)));
}

void TargetedFaults::after(Duration delay, std::function<void()> action) {
  world_.queue().after(delay, [this, action = std::move(action)] {
    if (!is_over_) action();
  });
}

void TargetedFaults::when(std::function<bool()> condition, Duration patience,
                          std::function<void()> action) {
  if (condition()) return action();
  if (patience <= 0) return end();
  after(kMillisecond,
        [this, condition = std::move(condition), patience, action = std::move(action)] {
          when(condition, patience - kMillisecond, action);
        });
}

void TargetedFaults::end() {
  while (!ordered_.empty()) heal(*ordered_.begin());
  is_under_way_ = false;
}

}  // namespace failsim::sim
