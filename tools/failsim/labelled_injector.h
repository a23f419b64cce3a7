// The faults of a scenario on processes, by the labels that the scenario gives them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/failsim/fault_injector.h"

namespace failsim::cli {

class LabelledInjector {
 public:
  LabelledInjector(Client& client, const std::string& scenario, std::uint64_t seed)
      : injector_(client, "scenario " + scenario, seed) {}

  // Throws a Failure if it is refused.
  void inject(const std::string& label, const fault::Order& order);
  // Nothing happens where the lease is over already; an empty label means all there is.
  void heal(const std::string& label);
  bool is_active(const std::string& label);
  FaultInjector& injector() { return injector_; }

 private:
  FaultInjector injector_;
  std::map<std::string, std::vector<std::uint64_t>> ids_;
};

}  // namespace failsim::cli
