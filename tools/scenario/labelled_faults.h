// The faults of a scenario: those of the virtual world, with the labels under which steps heal
// them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tools/scenario/scenario.h"
#include "tools/sim/injector.h"

namespace failsim::scenario {

class LabelledFaults {
 public:
  LabelledFaults(sim::World& world, std::uint64_t seed) : injector_(world, seed) {}

  // Errors as of the injector.
  Result<sim::FaultId> inject(const Inject& inject);
  // What bears the label and is still in force; everything if it is empty.
  void heal(const std::string& label);
  // Everything but what has hit one of these nodes.
  void heal_all_but(const std::set<std::string>& left_broken);
  bool is_active(const std::string& label) const;
  // "fault kill", "point owner.flip": how often each kind was injected and each named point passed.
  void count(std::map<std::string, std::uint64_t>& coverage) const;

 private:
  sim::Injector injector_;
  std::map<std::string, std::vector<sim::FaultId>> ids_;  // by label
};

}  // namespace failsim::scenario
