// What a seed is about, drawn first; and the steps that are drawn after it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/time.h"
#include "tools/explore/dice.h"
#include "tools/scenario/scenario.h"

namespace failsim::explore {

struct Plan {
  std::uint32_t nodes = 3;
  std::uint32_t vms = 3;  // names in use; the last one is large and only modelled
  std::uint64_t node_memory_bytes = std::uint64_t{4} << 30;
  Duration safety = 20 * kSecond;         // how long the cluster is worked and broken
  Duration work_min = 20 * kMillisecond;  // between two requests
  Duration work_max = 1 * kSecond;
  Duration fault_min = 500 * kMillisecond;  // between two faults
  Duration fault_max = 4 * kSecond;
  bool survivable = false;      // faults are weakened to what the quorum can take
  std::uint32_t threshold = 3;  // heartbeats of 250 ms that are missed before a node is given up
  // Such a run is short, and little else happens in it.
  bool has_sequences = false;
  std::string leader;  // in the beginning; empty: anybody

  Duration detection_time() const { return threshold * 250 * kMillisecond; }
};

std::string node_of(std::uint32_t number);
std::string vm_of(std::uint32_t number);
std::string any_node(const Plan& plan, Dice& dice);
// Another one than `node`; there has to be one.
std::string another_node(const Plan& plan, const std::string& node, Dice& dice);
std::string any_vm(const Plan& plan, Dice& dice);

// From the text of the language; asserts that it is understood, for only this folder writes it.
scenario::Effect fault(const Plan& plan, const std::string& order, const std::string& label = "");
scenario::Effect request(const std::string& action);
scenario::Condition condition(const std::string& text);

struct Timed {
  Time at = 0;
  scenario::Effect effect;
};

// Each draws its part of the scenario.
std::vector<scenario::Vm> draw_vms(const Plan& plan, Dice& dice);
std::vector<Timed> draw_requests(const Plan& plan, Dice& dice);
std::vector<Timed> draw_faults(const Plan& plan, Dice& dice);
std::vector<scenario::Reaction> draw_reactions(const Plan& plan, Dice& dice);
// Steps, not in order, and the reactions that belong to them. Needs three nodes; nothing if the
// plan has none.
struct Sequences {
  std::vector<Timed> steps;
  std::vector<scenario::Reaction> reactions;
};
Sequences draw_sequences(const Plan& plan, Dice& dice);
// Breaks the nodes for longer than any run lasts.
std::vector<Timed> draw_lasting_damage(const Plan& plan, const std::vector<std::string>& nodes,
                                       Time at, Dice& dice);

}  // namespace failsim::explore
