// Faults in the virtual world: ordered, leased, listed, healed alone or all at once.
//
// Everything that breaks a world goes this way: scenarios, searches, the random plan of a campaign
// and the terms of failpoints. An order that cannot be performed is refused with a sentence; what
// is performed is in the trace and counted. It has to live as long as the world runs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/fault/order.h"
#include "cluster/fault/selector.h"
#include "cluster/random.h"
#include "tools/sim/fault_actions.h"
#include "tools/sim/world.h"

namespace failsim::sim {

using FaultId = std::uint64_t;

// A fault in force.
struct ActiveFault {
  FaultId id = 0;
  std::string order;     // as text
  std::string hit;       // "node-1, node-3", "node-1->node-2"
  std::string weakened;  // what --survivable has left out, as a sentence; empty if nothing
  Time since = 0;
  Time until = 0;  // the end of its lease
};

class Injector : private fault::Surroundings {
 public:
  Injector(World& world, std::uint64_t seed);

  // Errors: a selector that hits nothing (kNodeNotFound, kResourceNotFound, kNotReady), a node that
  // is down (kNodeDown), a kind the virtual world does not perform or that does nothing there
  // (kInvalidParameter), one that the quorum does not survive (kNoQuorum).
  // The number is new for each fault; one that has nothing to undo is over at once.
  Result<FaultId> inject(const fault::Order& order);
  // kNotFound if no such fault is in force.
  std::optional<Error> heal(FaultId id);
  void heal_all();
  std::vector<ActiveFault> list() const;
  bool is_in_force(FaultId id) const { return in_force_.contains(id); }

  // How often each kind was injected.
  const std::map<std::string, std::uint64_t>& injected() const { return injected_; }
  // How often each named point was passed, armed or not.
  std::map<std::string, std::uint64_t> hits() const;

 private:
  struct InForce {
    ActiveFault shown;
    const fault::Kind* kind = nullptr;
    std::vector<NodeId> nodes;
    FaultActions::Undo undo;
    std::uint64_t told = 0;  // its number in the history
  };

  // ---- fault::Surroundings ----
  std::vector<NodeId> nodes() const override { return world_.nodes(); }
  NodeId leader() const override;
  bool has_vm(const std::string& vm) const override;
  NodeId owner(const std::string& vm) const override;
  NodeId migration_source(const std::string& vm) const override;
  NodeId migration_target(const std::string& vm) const override;

  const ClusterState* state() const;
  const pb::MigrationJob* migration(const std::string& vm) const;
  Result<Hit> resolve(const fault::Order& order);
  Result<std::vector<NodeId>> resolve_running(const fault::Order& order);
  std::optional<Error> weaken(const fault::Order& order, Hit& hit, std::string& weakened) const;
  bool is_out(NodeId node) const;
  void keep(FaultId id, const fault::Order& order, const Hit& hit, const std::string& weakened,
            FaultActions::Undo undo);

  World& world_;
  Random random_;
  FaultActions actions_;
  FaultId last_ = 0;
  std::map<FaultId, InForce> in_force_;
  std::map<std::string, std::uint64_t> injected_;
};

}  // namespace failsim::sim
