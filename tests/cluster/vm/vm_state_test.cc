#include "cluster/vm/vm_state.h"

#include <string>

#include <gtest/gtest.h>

namespace failsim {
namespace {

struct Documented {
  std::uint32_t number;
  VmState state;
  std::string constant;
  std::string short_name;
};

// VMVMState, as the document lists it.
const Documented kDocumented[] = {
    {0, VmState::kInvalid, "vmVMState_Invalid", "Invalid"},
    {1, VmState::kTurnedOff, "vmVMState_TurnedOff", "TurnedOff"},
    {2, VmState::kSaved, "vmVMState_Saved", "Saved"},
    {3, VmState::kTurningOn, "vmVMState_TurningOn", "TurningOn"},
    {4, VmState::kRestoring, "vmVMState_Restoring", "Restoring"},
    {5, VmState::kRunning, "vmVMState_Running", "Running"},
    {6, VmState::kPaused, "vmVMState_Paused", "Paused"},
    {7, VmState::kSaving, "vmVMState_Saving", "Saving"},
    {8, VmState::kTurningOff, "vmVMState_TurningOff", "TurningOff"},
    {9, VmState::kMergingDrives, "vmVMState_MergingDrives", "MergingDrives"},
    {10, VmState::kDeleteMachine, "vmVMState_DeleteMachine", "DeleteMachine"},
};

TEST(VmState, EveryDocumentedValueHasItsNumberAndBothNames) {
  EXPECT_EQ(std::size(kDocumented), kVmStateCount);
  for (const Documented& row : kDocumented) {
    EXPECT_EQ(static_cast<std::uint32_t>(row.state), row.number);
    EXPECT_EQ(documented_name(row.state), row.constant);
    EXPECT_EQ(name(row.state), row.short_name);
    EXPECT_EQ(vm_state_of(row.number), row.state);
    EXPECT_EQ(vm_state_named(row.constant), row.state);
    EXPECT_EQ(vm_state_named(row.short_name), row.state);
  }
}

TEST(VmState, NoOtherNumberOrNameIsAState) {
  EXPECT_EQ(vm_state_of(11), std::nullopt);
  EXPECT_EQ(vm_state_of(32769), std::nullopt);
  EXPECT_EQ(vm_state_of(0xFFFFFFFF), std::nullopt);
  EXPECT_EQ(vm_state_named(""), std::nullopt);
  EXPECT_EQ(vm_state_named("running"), std::nullopt);
  EXPECT_EQ(vm_state_named("vmVMState_"), std::nullopt);
}

TEST(VmState, AVmRestsInFourStatesOnly) {
  for (const Documented& row : kDocumented) {
    const bool rests = row.short_name == "TurnedOff" || row.short_name == "Saved" ||
                       row.short_name == "Running" || row.short_name == "Paused";
    EXPECT_EQ(is_settled(row.state), rests) << row.short_name;
  }
}

TEST(VmState, TheClusterPropertyMirrorsEnabledState) {
  EXPECT_EQ(enabled_state(VmState::kInvalid), 0U);
  EXPECT_EQ(enabled_state(VmState::kTurnedOff), 3U);
  EXPECT_EQ(enabled_state(VmState::kSaved), 32769U);
  EXPECT_EQ(enabled_state(VmState::kTurningOn), 32770U);
  EXPECT_EQ(enabled_state(VmState::kRestoring), 32770U);
  EXPECT_EQ(enabled_state(VmState::kRunning), 2U);
  EXPECT_EQ(enabled_state(VmState::kPaused), 32768U);
  EXPECT_EQ(enabled_state(VmState::kSaving), 32773U);
  EXPECT_EQ(enabled_state(VmState::kTurningOff), 32774U);
  EXPECT_EQ(enabled_state(VmState::kMergingDrives), 3U);
  EXPECT_EQ(enabled_state(VmState::kDeleteMachine), 32774U);
}

}  // namespace
}  // namespace failsim
