#include "cluster/failover/node_watch.h"

#include <algorithm>

#include "cluster/membership/process_start.h"

namespace failsim {

void NodeWatch::elected(Index applied) {
  nodes_changed_at_ = applied;
  up_.clear();
}

void NodeWatch::note_lease(const LeaderView& view) {
  if (!view.leased) leased_from_ = view.now;
}

void NodeWatch::decide(Decision& decision) {
  note_ups(decision.view());
  for (const auto& [id, node] : decision.state().nodes()) decide(decision, *node);
}

void NodeWatch::note_ups(const LeaderView& view) {
  for (const auto& [id, node] : view.state.nodes()) {
    if (node->state() != pb::NODE_UP) {
      up_.erase(id);
    } else if (const auto up = up_.find(id);
               up == up_.end() || up->second.first != node->incarnation()) {
      up_[id] = {node->incarnation(), view.now};
    }
  }
}

void NodeWatch::decide(Decision& decision, const pb::Node& node) const {
  const LeaderView& view = decision.view();
  const bool is_self = node.id() == view.self;
  const Incarnation heard = is_self ? view.incarnation : view.detector.incarnation(node.id());
  // Its next process has spoken, so this one is dead; the next one may be silent again, or dead.
  const bool is_replaced = heard > node.incarnation();
  const std::string key = "node/" + node.name();
  pb::Command command;
  if (is_replaced && view.detector.hears(node.id(), view.now, decision.detection_time()) &&
      !is_dead(node.id(), heard)) {
    pb::Command::NodeJoined& joined = *command.mutable_node_joined();
    joined.set_node(node.id());
    joined.set_store_id(node.store_id());
    joined.set_incarnation(heard);
    return decision.propose(key, std::move(command));
  }
  const bool proven_dead = is_replaced || is_dead(node.id(), node.incarnation());
  std::optional<std::string> reason;
  if (proven_dead) {
    const bool is_told = node.state() == pb::NODE_DOWN ? node.fenced() : is_self;
    if (!is_told && node.state() != pb::NODE_JOINING) reason = "its process is dead";
  } else if (node.state() == pb::NODE_UP && !is_self) {
    reason = why_down(decision, node);
  }
  if (reason.has_value()) {
    pb::Command::NodeDown& down = *command.mutable_node_down();
    down.set_node(node.id());
    down.set_incarnation(node.incarnation());
    down.set_fenced(proven_dead);
    down.set_reason(*reason);
    return decision.propose(key, std::move(command));
  }
  if (node.state() == pb::NODE_DOWN && !node.fenced() && is_back(decision, node)) {
    pb::Command::NodeUp& up = *command.mutable_node_up();
    up.set_node(node.id());
    up.set_incarnation(node.incarnation());
    decision.propose(key, std::move(command));
  }
}

bool NodeWatch::is_dead(NodeId node, Incarnation process) const {
  return dead_.contains({node, instance_of(process)});
}

// When the node was last known to hold a lease, or to have no chance yet to get one.
Time NodeWatch::last_leased(const LeaderView& view, const pb::Node& node) const {
  const auto up = up_.find(node.id());
  const Time since = up == up_.end() ? view.now : up->second.second;
  return std::max({since, leased_from_, view.leases.held_at(node.id(), node.incarnation())});
}

// How many call the node silent. A node that is Down may have lost its hearing: it is not asked.
std::size_t NodeWatch::silent_votes(const Decision& decision, NodeId of) const {
  const LeaderView& view = decision.view();
  std::uint64_t voters = 0;
  for (const auto& [id, node] : view.state.nodes()) {
    if (node->state() != pb::NODE_DOWN) voters |= std::uint64_t{1} << (id - 1);
  }
  return view.detector.silent_votes(of, voters, view.now, decision.detection_time());
}

// Why a node that is Up has to be called Down; nothing if it has not. A node that is heard and
// holds no lease is as good as silent: its guests stand still, whatever it says of itself.
std::optional<std::string> NodeWatch::why_down(const Decision& decision,
                                               const pb::Node& node) const {
  const LeaderView& view = decision.view();
  const std::string time = std::to_string(decision.detection_time() / kMillisecond) + " ms";
  if (silent_votes(decision, node.id()) >= view.quorum) return "silent for " + time;
  if (view.now < last_leased(view, node) + decision.detection_time()) return std::nullopt;
  return "heard, but without a lease for " + time;
}

// Whether a node that is Down, though its process lives, can do its part again.
bool NodeWatch::is_back(const Decision& decision, const pb::Node& node) const {
  const LeaderView& view = decision.view();
  // A leader is heard by a quorum; who calls it silent may be deaf. It is not Down for that: Down
  // it has no lease, and without one it could not take the deaf node down.
  if (node.id() == view.self) return true;
  if (silent_votes(decision, node.id()) != 0) return false;
  return view.detector.hears(node.id(), view.now, decision.detection_time()) &&
         view.detector.incarnation(node.id()) == node.incarnation() &&
         view.leases.follows(node.id(), node.incarnation(), nodes_changed_at_,
                             view.now - decision.detection_time());
}

}  // namespace failsim
