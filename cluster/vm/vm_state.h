// The state of a virtual machine as clients of the automation interface see it.
//
// Source: VMVMState enumeration (VsComInterfaces.h, Virtual Server 2005). This is one of three
// number spaces; do not mix it with EnabledState (2, 3, 32768 ...), which the cluster property
// "VmState" mirrors, nor with the state of a cluster resource.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace failsim {

enum class VmState : std::uint8_t {
  kInvalid = 0,        // never the state of a VM that exists
  kTurnedOff = 1,      // off, nothing saved
  kSaved = 2,          // off, the guest's memory is saved
  kTurningOn = 3,      // being started or restored
  kRestoring = 4,      // reading back the saved memory
  kRunning = 5,        // on and executing
  kPaused = 6,         // on, execution stopped
  kSaving = 7,         // writing its memory
  kTurningOff = 8,     // being stopped
  kMergingDrives = 9,  // merging undo drives
  kDeleteMachine = 10  // the run-time session is torn down; the VM itself is not deleted
};

inline constexpr std::size_t kVmStateCount = 11;

// The short name, for example "Running". The state must be one of the enumeration.
std::string_view name(VmState state);

// The documented constant, for example "vmVMState_Running".
std::string_view documented_name(VmState state);

// The state of this number; nothing unless it is 0..10.
std::optional<VmState> vm_state_of(std::uint32_t number);

// The state with this short or documented name, letter case as documented; otherwise nothing.
std::optional<VmState> vm_state_named(std::string_view text);

// A state a VM can rest in (TurnedOff, Saved, Running, Paused); the others only pass by in events.
bool is_settled(VmState state);

// Msvm_ComputerSystem.EnabledState of a VM in this state, as the read-only cluster property
// "VmState" reports it: 0 unknown, 2 running, 3 off, 32768 paused, 32769 saved, 32770 starting,
// 32773 saving, 32774 stopping.
std::uint32_t enabled_state(VmState state);

}  // namespace failsim
