// Faults as they come: orders drawn from a seed, each with its lease, until everything is healed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "cluster/random.h"
#include "cluster/time.h"
#include "tools/sim/injector.h"
#include "tools/sim/targeted_faults.h"
#include "tools/sim/world.h"

namespace failsim::sim {

class FaultPlan {
 public:
  // The VMs are "vm-1" to "vm-<vms>". All three outlive the run.
  FaultPlan(World& world, Injector& injector, std::uint32_t vms, std::uint64_t seed);

  // From now on.
  void begin() { next(); }
  // No fault any more; everything is whole, every process runs.
  void heal();
  // Orders that hit nothing at the moment they came.
  std::uint64_t refused() const { return refused_; }
  // How often each sequence of targeted faults was begun.
  const std::map<std::string, std::uint64_t>& begun() const { return begun_; }

 private:
  using Draw = void (FaultPlan::*)();
  struct Weighted {
    std::uint32_t weight;
    Draw draw;
  };

  void next();
  void draw_fault();
  void order(const std::string& line, Duration shortest, Duration longest);

  void end_process();
  void stop_process();
  void cut_link();
  void isolate();
  void split();
  void silence();
  void worsen_link();
  void slow_link();
  void cut_volume();
  void trouble_clock();
  void trouble_disk();
  void fail_disk();
  void replace_disk();
  void trouble_volume();
  void trouble_host();
  void trouble_guest();
  void arm_failpoint();
  void wait_for_the_moment();
  std::string draw_terms(const std::string& point);

  std::string any_node();
  std::string any_link();
  std::string any_vm();
  std::string any_class();
  std::string share(std::uint64_t most_per_mille);
  std::string duration(Duration shortest, Duration longest);
  bool one_of(std::uint64_t n) { return random_.below(n) == 0; }

  World& world_;
  Injector& injector_;
  const std::uint32_t vms_;
  Random random_;
  TargetedFaults targeted_;
  bool is_healed_ = false;
  Duration shortest_pause_ = 0;
  Duration longest_pause_ = 0;
  std::uint64_t refused_ = 0;
  std::map<std::string, std::uint64_t> begun_;
};

}  // namespace failsim::sim
