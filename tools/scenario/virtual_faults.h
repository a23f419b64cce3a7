// The faults of a scenario, performed on the virtual world and undone again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/fault/order.h"
#include "cluster/random.h"
#include "tools/scenario/view.h"
#include "tools/sim/world.h"

namespace failsim::scenario {

class VirtualFaults {
 public:
  VirtualFaults(sim::World& world, const View& view, std::uint64_t seed)
      : world_(world), view_(view), random_(seed) {}

  // An Error when the selector hits nothing now, or when the world cannot perform the fault.
  Result<std::uint64_t> inject(const fault::Order& order, const std::string& label);
  // Undoes what bears the label; all of it if it is empty.
  void heal(const std::string& label);
  bool is_active(const std::string& label) const;

 private:
  struct Active {
    std::string label;
    std::function<void()> undo;
  };
  Result<std::function<void()>> perform(const fault::Order& order);
  Result<std::function<void()>> perform_on_nodes(const fault::Order& order);
  Result<std::function<void()>> perform_on_links(const fault::Order& order);
  Result<std::function<void()>> perform_on_volume(const fault::Order& order);
  std::function<void()> cut(std::vector<std::pair<NodeId, NodeId>> links);
  std::function<void()> harm(const fault::Order& order, NodeId node);
  void undo(std::uint64_t id);

  sim::World& world_;
  const View& view_;
  Random random_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Active> active_;
};

}  // namespace failsim::scenario
