// Whether a VM may be migrated live to a node: CheckVirtualSystemIsMigratableToHost.
//
// Each check that fails is a sentence with the object and what it would need; all of them are told,
// not the first alone. A migration is refused, and one that waited for its turn fails, for the same
// reasons in the same words.
//
// Source: Msvm_VirtualSystemMigrationService for the return values; which checks there are is ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/state/cluster_state.h"

namespace failsim {

// A space of its own, unlike that of the methods that begin a migration.
enum class CheckReturn : std::uint32_t {
  kCompleted = 0,
  kNotSupported = 1,
  kFailed = 2,
  kTimeout = 3,
  kInvalidParameter = 4,
  kInvalidState = 5,
  kIncompatibleParameters = 6
};

// For example "Incompatible Parameters".
std::string_view name(CheckReturn value);

struct FailedCheck {
  std::string_view check;  // what was looked at: "memory", "processor profile", ...
  CheckReturn returns = CheckReturn::kFailed;
  Error error;
};

// The checks that fail, in a fixed order; empty if the VM may go. `asked` is what the client called
// the target, for a node that does not exist.
std::vector<FailedCheck> failed_checks(const ClusterState& state, const pb::Vm& vm, NodeId target,
                                       const std::string& asked);

// What the method returns: of the first check that fails.
CheckReturn check_return(const std::vector<FailedCheck>& failed);

// All of them as one error, with the code and the advice of the first.
Error joined(const std::vector<FailedCheck>& failed);

}  // namespace failsim
