// The cluster's view of a live migration: the property MigrationState of a virtual machine.
//
// Source: "MigrationState" and "MigrationFailureReason" of the Virtual Machine private properties;
// the cancel rule is that of CLUSCTL_RESOURCE_VM_CANCEL_MIGRATION.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "cluster/error.h"

namespace failsim {

enum class MigrationState : std::uint8_t {
  kNoMigration = 0,   // none under way; also what success returns to
  kSetup = 1,         // started, the target is being prepared
  kDataTransfer = 2,  // memory and state are being sent
  kMove = 3,          // the group is changing hands
  kCanceled = 4,      // the last attempt was canceled
  kFailure = 5        // the last attempt failed; kept until reset or until the next start
};

inline constexpr std::size_t kMigrationStateCount = 6;

// The documented name, for example "Data Transfer".
std::string_view name(MigrationState state);

// The state of this number; nothing unless it is 0..5.
std::optional<MigrationState> migration_state_of(std::uint32_t number);
std::optional<MigrationState> migration_state_named(std::string_view text);

// Setup, Data Transfer or Move: a migration is under way.
bool is_under_way(MigrationState state);

// Whether the migration engine may change the property from one value to the other:
//   0 -> 1 -> 2 -> 3 -> 0, {1, 2} -> 4, {1, 2, 3} -> 5, {4, 5} -> 0 (reset) and {4, 5} -> 1,
//   and 0 -> 5 for the job that has just made it 0: the target owns the VM and cannot resume it.
// Staying at a value is no move and false. A client's write is not the engine's.
bool engine_may_move(MigrationState from, MigrationState to);

// Nothing in Setup and Data Transfer; otherwise kInvalidState (5023), naming the VM and the state.
std::optional<Error> cancel_refused(MigrationState state, std::string_view vm_name);

// MigrationFailureReason: the HRESULT of the last attempt. Only these three are documented.
enum class MigrationFailure : std::uint32_t {
  kNone = 0,            // S_OK
  kBusy = 0x800700AA,   // E_BUSY: another migration of the VM was under way
  kFailed = 0x80004005  // E_FAIL: anything else
};

// "S_OK", "E_BUSY", "E_FAIL".
std::string_view name(MigrationFailure failure);
std::optional<MigrationFailure> migration_failure_of(std::uint32_t number);

}  // namespace failsim
