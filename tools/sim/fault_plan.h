// Faults as they come: drawn from a seed, each with its own end, until everything is healed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/random.h"
#include "cluster/time.h"
#include "tools/sim/world.h"

namespace failsim::sim {

class FaultPlan {
 public:
  FaultPlan(World& world, std::uint64_t seed);

  // From now on.
  void begin() { next(); }
  // No fault any more; everything is whole, every process runs.
  void heal();
  const std::map<std::string, std::uint64_t>& injected() const { return injected_; }

 private:
  void next();
  void inject();
  NodeId any_node();
  NodeId another_node(NodeId node);
  void until_over(Duration shortest, Duration longest, std::function<void()> over);

  void end_process();
  void stop_process();
  void cut_link();
  void isolate();
  void cut_off(NodeId node);
  void split();
  void cut_volume();
  void worsen_link();
  void silence();
  void stall_disk();
  void fail_disk();
  void stall_volume();
  void trouble_host();

  World& world_;
  Random random_;
  bool is_healed_ = false;
  Duration shortest_pause_ = 0;
  Duration longest_pause_ = 0;
  std::map<std::string, std::uint64_t> injected_;
};

}  // namespace failsim::sim
