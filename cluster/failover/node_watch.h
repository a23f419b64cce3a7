// Which nodes a leader calls Up and Down: what it hears of them, held against their rows.
//
//   not agreed yet -> Up    a newer process than the agreed one is heard, and is not known to be
//   dead Up   -> Down            its process is dead, or a quorum calls it silent, or it is heard
//   and was
//                           without a lease for a detection time: its guests stand still
//   Down -> Up              the process that was only silent is back: it speaks, it hears, and what
//                           it hears takes effect
//
// A process that is proven dead is Down for good (fenced): it has no guest that could run. A leader
// that is Up does not take itself down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "cluster/failover/decision.h"
#include "cluster/ids.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim {

class NodeWatch {
 public:
  // Heard by every member, leader or not: the process (node, instance) is dead, and its guests.
  void evidence(NodeId node, std::uint32_t instance) { dead_.insert({node, instance}); }

  // This member was elected, with everything up to `applied` in its state.
  void elected(Index applied);
  // Some node's row was changed by this entry.
  void nodes_changed(Index index) { nodes_changed_at_ = index; }

  // At every look: since when this leader holds its lease without a break.
  void note_lease(const LeaderView& view);
  // Proposes what has become of each node.
  void decide(Decision& decision);

 private:
  void note_ups(const LeaderView& view);
  void decide(Decision& decision, const pb::Node& node) const;
  bool is_dead(NodeId node, Incarnation process) const;
  Time last_leased(const LeaderView& view, const pb::Node& node) const;
  std::size_t silent_votes(const Decision& decision, NodeId of) const;
  std::optional<std::string> why_down(const Decision& decision, const pb::Node& node) const;
  bool is_back(const Decision& decision, const pb::Node& node) const;

  std::set<std::pair<NodeId, std::uint32_t>> dead_;    // (node, instance)
  std::map<NodeId, std::pair<Incarnation, Time>> up_;  // processes that are Up, since when
  Index nodes_changed_at_ = 0;                         // the last change of a node's row
  Time leased_from_ = 0;                               // since when this leader holds a lease
};

}  // namespace failsim
