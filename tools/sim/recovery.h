// What has to be true again some time after everything was healed: L1, L2, L3, L8, and that nothing
// is left behind (S9, S13, S14).
#pragma once

#include <set>
#include <string>
#include <utility>

#include "tools/sim/world.h"

namespace failsim::sim {

class Recovery {
 public:
  // Nodes left broken are neither started nor asked for anything.
  explicit Recovery(World& world, std::set<NodeId> left_broken = {})
      : world_(world), left_broken_(std::move(left_broken)) {}

  // From now on processes that end by themselves are started again, as `failsim node start` would.
  void begin();
  // At the end of the time that recovery may take.
  void check();
  // The member that everybody takes for the leader; null if there is none.
  const Member* leader() const;

 private:
  void watch();
  const Member* damaged_leader() const;
  void check_members(const Member& leader);
  void check_work(const ClusterState& state);
  void check_guests(const ClusterState& state);
  void add(const std::string& label, const std::string& text);
  bool is_left_broken(NodeId node) const { return left_broken_.contains(node); }

  World& world_;
  const std::set<NodeId> left_broken_;
  std::set<std::string> broken_;  // rules
};

}  // namespace failsim::sim
