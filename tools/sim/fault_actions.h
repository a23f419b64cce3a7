// How the virtual world performs each kind of fault on what it hits, and undoes it.
//
// Faults overlap freely: each takes back only what it has done, so a link that two faults cut is
// whole when both are healed, and a node that two faults killed starts after the second.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/error.h"
#include "cluster/fault/order.h"
#include "tools/sim/world.h"

namespace failsim::sim {

// What a selector has come to.
struct Hit {
  std::vector<NodeId> nodes;
  std::vector<std::pair<NodeId, NodeId>> links;
  std::vector<std::string> vms;
};

// Of a kind that has the parameter "evidence".
World::Evidence evidence_of(const fault::Order& order);

class FaultActions {
 public:
  using Undo = std::function<void()>;
  // Orders another fault, by its line.
  using Inject = std::function<void(const std::string& line)>;

  FaultActions(World& world, Inject inject);

  // Whether there is code for this kind: for every one that the virtual world performs.
  static bool has(std::string_view kind);
  // What heals the fault; empty if nothing has to be undone. An error if it cannot be done to what
  // it hits: nothing has happened then.
  Result<Undo> perform(const fault::Order& order, const Hit& hit);

 private:
  using Action = Result<Undo> (FaultActions::*)(const fault::Order&, const Hit&);
  static const std::map<std::string_view, Action>& actions();

  // process
  Result<Undo> kill(const fault::Order& order, const Hit& hit);
  Result<Undo> power_off(const fault::Order& order, const Hit& hit);
  Result<Undo> terminate(const fault::Order& order, const Hit& hit);
  Result<Undo> kill_again_and_again(const fault::Order& order, const Hit& hit);
  Result<Undo> freeze(const fault::Order& order, const Hit& hit);
  Result<Undo> grey(const fault::Order& order, const Hit& hit);
  Result<Undo> stop_slowly(const fault::Order& order, const Hit& hit);
  Result<Undo> open_nothing(const fault::Order& order, const Hit& hit);
  Result<Undo> speak_another_version(const fault::Order& order, const Hit& hit);
  // network
  Result<Undo> rule_links(const fault::Order& order, const Hit& hit);
  Result<Undo> flap_links(const fault::Order& order, const Hit& hit);
  Result<Undo> isolate(const fault::Order& order, const Hit& hit);
  Result<Undo> reset_links(const fault::Order& order, const Hit& hit);
  Result<Undo> cut_clients(const fault::Order& order, const Hit& hit);
  // clock
  Result<Undo> jump_clock(const fault::Order& order, const Hit& hit);
  Result<Undo> strobe_clock(const fault::Order& order, const Hit& hit);
  Result<Undo> drift_clock(const fault::Order& order, const Hit& hit);
  Result<Undo> delay_timers(const fault::Order& order, const Hit& hit);
  // disk and shared volume
  Result<Undo> rule_disks(const fault::Order& order, const Hit& hit);
  Result<Undo> lie_about_syncs(const fault::Order& order, const Hit& hit);
  Result<Undo> replace_disks(const fault::Order& order, const Hit& hit);
  Result<Undo> flip_bits(const fault::Order& order, const Hit& hit);
  Result<Undo> restore_disks(const fault::Order& order, const Hit& hit);
  Result<Undo> swap_disks(const fault::Order& order, const Hit& hit);
  Result<Undo> rule_volume(const fault::Order& order, const Hit& hit);
  Result<Undo> restart_volume(const fault::Order& order, const Hit& hit);
  // guest
  Result<Undo> fail_step(const fault::Order& order, const Hit& hit);
  Result<Undo> crash_guests(const fault::Order& order, const Hit& hit);
  Result<Undo> dirty_guests(const fault::Order& order, const Hit& hit);
  Result<Undo> take_memory(const fault::Order& order, const Hit& hit);
  // named points
  Result<Undo> arm(const fault::Order& order, const Hit& hit);
  void perform_term(const fault::Term& term, fault::PointId point, NodeId node,
                    const std::string& vm, Duration lease, Passing& passing);
  void cancel_migration(const std::string& vm);

  // `there` now and `back` half of `every` later, in turn; the undo ends it with `back`.
  Undo in_turn(Duration every, std::function<void()> there, std::function<void()> back);
  // On each node a process dies and its store is changed; the undo takes both back.
  Undo change_disks(const fault::Order& order, const Hit& hit,
                    const std::function<void(NodeId)>& change,
                    const std::function<void(Disk&)>& undo);
  std::optional<Error> restore_refused(NodeId node, std::size_t age,
                                       const std::vector<NodeId>& hit) const;
  Undo start_again(const std::vector<NodeId>& nodes);
  void start_when_gone(NodeId node, Incarnation gone);
  Undo add_rules(const std::vector<std::pair<NodeId, NodeId>>& links,
                 const std::vector<LinkRule>& rules);
  void dirty_rate_changed(const std::string& vm);

  World& world_;
  const Inject inject_;
  std::map<NodeId, int> down_;    // faults that hold the node down
  std::map<NodeId, int> frozen_;  // faults that have stopped it
  std::uint64_t requests_ = 0;
};

}  // namespace failsim::sim
