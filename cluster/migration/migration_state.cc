#include "cluster/migration/migration_state.h"

#include <array>
#include <cassert>
#include <string>
#include <utility>

namespace failsim {
namespace {

using enum MigrationState;

constexpr std::array<std::string_view, kMigrationStateCount> kNames = {
    "No Migration", "Setup", "Data Transfer", "Move", "Canceled", "Failure"};

struct Move {
  MigrationState from;
  MigrationState to;
};

constexpr Move kEngineMoves[] = {
    {kNoMigration, kSetup},      // a migration starts
    {kSetup, kDataTransfer},     // the target is ready
    {kDataTransfer, kMove},      // the group changes hands
    {kMove, kNoMigration},       // done
    {kSetup, kCanceled},         // a client called it off
    {kDataTransfer, kCanceled},  // a client called it off
    {kSetup, kFailure},          // it failed
    {kDataTransfer, kFailure},   // it failed
    {kMove, kFailure},           // it failed
    {kNoMigration, kFailure},    // the new owner could not go on from the memory it was given
    {kCanceled, kNoMigration},   // reset
    {kFailure, kNoMigration},    // reset
    {kCanceled, kSetup},         // the next attempt starts
    {kFailure, kSetup},          // the next attempt starts
};

struct FailureRow {
  MigrationFailure failure;
  std::string_view name;
};

constexpr FailureRow kFailures[] = {
    {MigrationFailure::kNone, "S_OK"},
    {MigrationFailure::kBusy, "E_BUSY"},
    {MigrationFailure::kFailed, "E_FAIL"},
};

}  // namespace

std::string_view name(MigrationState state) {
  assert(static_cast<std::size_t>(state) < kNames.size());
  return kNames[static_cast<std::size_t>(state)];
}

std::optional<MigrationState> migration_state_of(std::uint32_t number) {
  if (number >= kNames.size()) return std::nullopt;
  return static_cast<MigrationState>(number);
}

std::optional<MigrationState> migration_state_named(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<MigrationState>(i);
  }
  return std::nullopt;
}

bool is_under_way(MigrationState state) {
  return state == kSetup || state == kDataTransfer || state == kMove;
}

bool engine_may_move(MigrationState from, MigrationState to) {
  for (const Move& move : kEngineMoves) {
    if (move.from == from && move.to == to) return true;
  }
  return false;
}

std::optional<Error> cancel_refused(MigrationState state, std::string_view vm_name) {
  if (state == kSetup || state == kDataTransfer) return std::nullopt;
  std::string message = "Cannot cancel the migration of VM '";
  message += vm_name;
  message += "': its MigrationState is ";
  message += name(state);
  message += ", and this is possible only in Setup and Data Transfer.";
  std::string next = state == kMove ? "Wait until the move has ended, then migrate the VM back."
                                    : "There is no migration of this VM to cancel.";
  return Error{Code::kInvalidState, std::move(message), std::move(next)};
}

std::string_view name(MigrationFailure failure) {
  for (const FailureRow& row : kFailures) {
    if (row.failure == failure) return row.name;
  }
  assert(false);
  return {};
}

std::optional<MigrationFailure> migration_failure_of(std::uint32_t number) {
  for (const FailureRow& row : kFailures) {
    if (static_cast<std::uint32_t>(row.failure) == number) return row.failure;
  }
  return std::nullopt;
}

}  // namespace failsim
