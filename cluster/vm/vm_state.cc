#include "cluster/vm/vm_state.h"

#include <array>
#include <cassert>

namespace failsim {
namespace {

constexpr std::string_view kPrefix = "vmVMState_";

struct Row {
  VmState state;
  std::string_view documented_name;
  std::uint32_t enabled_state;
  bool settled;
};

constexpr std::array<Row, kVmStateCount> kRows = {{
    {VmState::kInvalid, "vmVMState_Invalid", 0, false},
    {VmState::kTurnedOff, "vmVMState_TurnedOff", 3, true},
    {VmState::kSaved, "vmVMState_Saved", 32769, true},
    {VmState::kTurningOn, "vmVMState_TurningOn", 32770, false},
    {VmState::kRestoring, "vmVMState_Restoring", 32770, false},
    {VmState::kRunning, "vmVMState_Running", 2, true},
    {VmState::kPaused, "vmVMState_Paused", 32768, true},
    {VmState::kSaving, "vmVMState_Saving", 32773, false},
    {VmState::kTurningOff, "vmVMState_TurningOff", 32774, false},
    {VmState::kMergingDrives, "vmVMState_MergingDrives", 3, false},
    {VmState::kDeleteMachine, "vmVMState_DeleteMachine", 32774, false},
}};

constexpr bool rows_are_numbered() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].state) != i) return false;
  }
  return true;
}
static_assert(rows_are_numbered());

const Row& row_of(VmState state) {
  assert(static_cast<std::size_t>(state) < kRows.size());
  return kRows[static_cast<std::size_t>(state)];
}

}  // namespace

std::string_view name(VmState state) {
  return documented_name(state).substr(kPrefix.size());
}

std::string_view documented_name(VmState state) {
  return row_of(state).documented_name;
}

std::optional<VmState> vm_state_of(std::uint32_t number) {
  if (number >= kRows.size()) return std::nullopt;
  return static_cast<VmState>(number);
}

std::optional<VmState> vm_state_named(std::string_view text) {
  for (const Row& row : kRows) {
    if (text == row.documented_name || text == name(row.state)) return row.state;
  }
  return std::nullopt;
}

bool is_settled(VmState state) {
  return row_of(state).settled;
}

std::uint32_t enabled_state(VmState state) {
  return row_of(state).enabled_state;
}

}  // namespace failsim
