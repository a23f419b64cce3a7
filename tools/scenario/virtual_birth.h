// The cluster of a scenario comes to life in the virtual world: nodes, the wanted leader, the VMs.
#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "tools/scenario/operator.h"
#include "tools/scenario/scenario.h"
#include "tools/scenario/view.h"
#include "tools/sim/world.h"

namespace failsim::scenario {

// The world that the topology describes.
sim::WorldConfig world_config(const Scenario& scenario, std::ostream* trace_lines,
                              history::Sink* sink);

// Why the cluster did not come to life.
struct Stillbirth {
  std::string label;  // of a violation
  Position position;
  std::string text;
};

class VirtualBirth {
 public:
  // Runs the world until the condition holds; false if it does not within the time.
  using Wait = std::function<bool(const std::function<bool()>&, Duration at_most)>;

  VirtualBirth(const Scenario& scenario, sim::World& world, const View& view, Operator& asked,
               Wait wait)
      : scenario_(scenario), world_(world), view_(view), operator_(asked), wait_(std::move(wait)) {}

  // Nothing when all nodes are Up, the leader is the wanted one and every VM is as it should be.
  std::optional<Stillbirth> run();

 private:
  std::optional<Stillbirth> wait_until_whole();
  std::optional<Stillbirth> settle_leader();
  std::optional<Stillbirth> create(const Vm& vm);

  const Scenario& scenario_;
  sim::World& world_;
  const View& view_;
  Operator& operator_;
  const Wait wait_;
};

}  // namespace failsim::scenario
