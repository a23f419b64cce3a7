// Faults that wait for their moment: sequences that random faults meet too seldom, each aimed at
// one rule. They look at the members to find the moment; whom they hit and for how long is drawn,
// and every fault is ordered from the injector.
//
//   depose        answers reach the leader late, then it reaches nobody: it believes that it leads
//                 while another one does
//   return        a node is silent until it is given up, and is heard again just as its lease ends;
//                 the leader's words reach it late
//   figure eight  three leaders in turn, each cut off with entries of its own; the last one's disk
//                 stalls before it dies
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cluster/random.h"
#include "cluster/time.h"
#include "tools/sim/injector.h"
#include "tools/sim/world.h"

namespace failsim::sim {

class TargetedFaults {
 public:
  TargetedFaults(World& world, Injector& injector, std::uint64_t seed)
      : world_(world), injector_(injector), random_(seed) {}

  // Begins one: its name. Empty if one is under way or nobody leads.
  std::string begin();
  // Before everything is healed: what is under way goes no further.
  void stop() { is_over_ = true; }

 private:
  void depose(NodeId leader);
  void give_up_and_return(NodeId leader);
  void figure_eight(NodeId first);
  void second_leader(NodeId first, NodeId second, FaultId first_cut);
  void first_leads_again(NodeId first, NodeId third, FaultId second_cut);

  NodeId leader() const;
  bool leads(NodeId node) const;
  std::vector<NodeId> others(NodeId node) const;
  FaultId cut_off(NodeId node);
  // The number of the fault; 0 if it is refused, because there is nothing to hit any more.
  FaultId order(const std::string& line);
  // Nothing happens if it is healed already.
  void heal(FaultId fault);
  Duration draw(Duration from, Duration to);
  void after(Duration delay, std::function<void()> action);
  // Looks every millisecond; gives the whole fault up when it does not come in time.
  void when(std::function<bool()> condition, Duration patience, std::function<void()> action);
  void end();

  World& world_;
  Injector& injector_;
  Random random_;
  std::set<FaultId> ordered_;  // by the sequence under way
  FaultId late_ = 0;           // of a depose: the answers, so late
  bool is_under_way_ = false;
  bool is_over_ = false;
};

}  // namespace failsim::sim
