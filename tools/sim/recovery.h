// What has to be true again some time after everything was healed: L1, L2, L3, L8, and that nothing
// is left behind (S9, S13, S14).
#pragma once

#include <string>

#include "tools/sim/world.h"

namespace failsim::sim {

class Recovery {
 public:
  explicit Recovery(World& world) : world_(world) {}

  // From now on processes that end by themselves are started again, as `failsim node start` would.
  void begin();
  // At the end of the time that recovery may take.
  void check();
  // The member that everybody takes for the leader; null if there is none.
  const Member* leader() const;

 private:
  void watch();
  void check_members(const Member& leader);
  void check_work(const ClusterState& state);
  void check_guests(const ClusterState& state);
  void add(const std::string& label, const std::string& text);

  World& world_;
};

}  // namespace failsim::sim
