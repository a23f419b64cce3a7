// Selectors that were resolved already: nodes by name alone. Who leads or owns what is the affair of
// whoever injects.
#pragma once

#include <string>
#include <vector>

#include "cluster/fault/selector.h"

namespace failsim::fault {

// Refers to `nodes`, which must outlive it.
class NodesByName final : public Surroundings {
 public:
  explicit NodesByName(const std::vector<NodeId>& nodes) : nodes_(nodes) {}
  std::vector<NodeId> nodes() const override { return nodes_; }
  NodeId leader() const override { return kNoNode; }
  bool has_vm(const std::string&) const override { return false; }
  NodeId owner(const std::string&) const override { return kNoNode; }
  NodeId migration_source(const std::string&) const override { return kNoNode; }
  NodeId migration_target(const std::string&) const override { return kNoNode; }

 private:
  const std::vector<NodeId>& nodes_;
};

}  // namespace failsim::fault
