// Read-only properties that are no rows of their own but show what other rows say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/property/clusprop.h"
#include "cluster/property/property_table.h"

namespace failsim {

class ClusterState;

// The value shown: VmState of a VM, Name and StatusInformation of a group, NodeName and
// DynamicWeight of a node. Nothing for any other property, and for an object that does not exist.
std::optional<Value> property_view(const ClusterState& state, ObjectKind kind,
                                   const std::string& object, std::string_view name);

}  // namespace failsim
