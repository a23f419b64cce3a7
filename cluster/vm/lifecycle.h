// What the methods of a virtual machine do: the state diagram as one table.
//
//   method    legal in          state changes announced                          rests in
//   StartUp   TurnedOff         TurningOn, Running                               Running
//   StartUp   Saved             TurningOn, Restoring, Running                    Running
//   Save      Running           Saving, TurningOff, DeleteMachine, TurnedOff     Saved
//   Reset     Running, Paused   TurningOff, DeleteMachine, TurningOn, Running    Running
//   Pause     Running           Paused                                           Paused
//   Resume    Paused            Running                                          Running
//   TurnOff   Running, Paused   TurningOff, DeleteMachine, TurnedOff             TurnedOff
//
// Source: "Virtual Machine State Diagram" (Virtual Server 2005) and the pages of IVMVirtualMachine.
// Save is the odd one: its last announcement is TurnedOff while the State property then reads
// Saved, hence Plan::final_state beside the events.
//
// How to perform a Plan: enter the steps in order. Entering a step announces its events in order
// and makes `want` the wanted guest; the next step is entered once the guest reports `wait`. When
// the last step has been entered the property takes `final_state`. A plan is named by (method,
// from), so a replica stores those two and the number of the step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "cluster/error.h"
#include "cluster/vm/vm_state.h"

namespace failsim {

enum class VmMethod : std::uint8_t { kStartUp, kSave, kReset, kPause, kResume, kTurnOff };
inline constexpr std::size_t kVmMethodCount = 6;

// What the guest has to be before the next step is entered.
enum class GuestCondition : std::uint8_t {
  kNone,     // nothing to wait for: the last step
  kRunning,  // executing
  kFrozen,   // in memory, not executing
  kAbsent,   // no guest process
  kSaved     // its memory is completely and durably written
};

// What the owner of the VM keeps its guest at while a step is current. Numbered as pb::GuestWant.
enum class GuestWant : std::uint8_t {
  kAbsent = 0,
  kRunning = 1,
  kFrozen = 2,
  kSaving = 3  // stop it and write its state to the shared volume
};

struct Step {
  std::span<const VmState> events;  // announced in this order on entry; may be empty
  GuestWant want = GuestWant::kAbsent;
  GuestCondition wait = GuestCondition::kNone;
};

struct Plan {
  VmMethod method = VmMethod::kStartUp;
  VmState from = VmState::kInvalid;         // the State property before
  VmState final_state = VmState::kInvalid;  // the State property after
  std::span<const Step> steps;              // at least one; only the last waits for kNone
};

// Every plan there is, in the order of the table above. Lives as long as the program.
std::span<const Plan> plans();

// The plan of `method` for a VM whose State property is `state`; never null.
// Errors, each saying what was refused, where, why and what to do next:
//   kVmNotRunning  the VM is TurnedOff or Saved and the method needs a guest
//   kVmRunning     StartUp or Resume of a running VM
//   kVmPaused      StartUp, Save or Pause of a paused VM
//   kInvalidState  the VM is between two settled states, or in none
Result<const Plan*> plan_of(VmMethod method, VmState state, std::string_view vm_name);

// The documented name of the method, for example "TurnOff".
std::string_view name(VmMethod method);

// The verb of the command line: start, save, reset, pause, resume, turn-off.
std::string_view verb(VmMethod method);
std::optional<VmMethod> vm_method_of_verb(std::string_view verb);
std::optional<VmMethod> vm_method_of(std::uint32_t number);

std::string_view name(GuestCondition condition);
std::string_view name(GuestWant want);

}  // namespace failsim
