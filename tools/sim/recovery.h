// What has to be true again some time after everything was healed: L1, L2, L3, L8, and that nothing
// is left behind (S9, S13, S14).
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/sim/world.h"

namespace failsim::sim {

class Recovery {
 public:
  // Nodes left broken are neither started nor asked for anything.
  explicit Recovery(World& world, std::set<NodeId> left_broken = {})
      : world_(world), left_broken_(std::move(left_broken)) {}

  // From now on processes that end by themselves are started again, as `failsim node start` would.
  void begin();
  // Everything has been whole for a while: there is nothing to wait for any more.
  bool is_over() const;
  // At the end of the time that recovery may take.
  void check();
  // The member that everybody takes for the leader; null if there is none.
  const Member* leader() const;

 private:
  struct Problem {
    std::string rule;  // L1, L2, L3 or L8
    std::string text;
  };
  using Problems = std::vector<Problem>;

  void watch();
  const Member* damaged_leader() const;
  Problems problems() const;
  void look_at_members(const Member& leader, Problems& found) const;
  void look_at_work(const ClusterState& state, Problems& found) const;
  void look_at_guests(const ClusterState& state, Problems& found) const;
  // What is looked at only once.
  void check_deeply(const Member& leader);
  bool is_left_broken(NodeId node) const { return left_broken_.contains(node); }

  World& world_;
  const std::set<NodeId> left_broken_;
  Time whole_since_ = kNever;
};

}  // namespace failsim::sim
