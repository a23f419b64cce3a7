// The control codes of a clustered VM that are about migration: CLUSCTL_RESOURCE_VM_*.
//
// A control code returns a Win32 number and begins or ends what the other requests do, too. Of the
// documents, what is left out: it may be given at any node, not only at the owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"

namespace failsim {

enum class ControlCode : std::uint32_t {
  kStartMigration = 0x01600004,
  kCancelMigration = 0x01600008
};

// "START_MIGRATION", "CANCEL_MIGRATION".
std::string_view name(ControlCode code);
// By name, or by number, decimal or 0x.
std::optional<ControlCode> control_code_of(std::string_view text);
// Why nothing can be asked for with these words: an unknown code, or kStartMigration to nowhere.
std::optional<Error> control_refused(std::string_view code, std::string_view target_name);

// What to ask of the cluster. `target`, 0 if unknown, and its name are for kStartMigration. A
// kCancelMigration cancels nothing that waits for its turn (5023: the queue is the group's affair,
// and its MigrationState is neither 1 nor 2).
pb::Request control_request(ControlCode code, const std::string& vm, NodeId target,
                            const std::string& target_name);

// What the control code returns: the code of a refusal; for a start 0, or 997 when it waits for its
// turn; for a cancel 0, or 997 when its job is being terminated already.
std::uint32_t control_return(ControlCode code, const pb::Reply& reply);

}  // namespace failsim
