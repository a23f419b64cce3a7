#include "cluster/vm/lifecycle.h"

#include <array>
#include <cassert>
#include <string>

namespace failsim {
namespace {

using enum VmState;

// ---- The table ----------------------------------------------------------------------------------

constexpr VmState kSayTurningOn[] = {kTurningOn};
constexpr VmState kSayTurningOnRestoring[] = {kTurningOn, kRestoring};
constexpr VmState kSayRunning[] = {kRunning};
constexpr VmState kSayPaused[] = {kPaused};
constexpr VmState kSaySaving[] = {kSaving};
constexpr VmState kSayTurningOff[] = {kTurningOff};
constexpr VmState kSayTurningOffDeleteMachine[] = {kTurningOff, kDeleteMachine};
constexpr VmState kSayDeleteMachineTurningOn[] = {kDeleteMachine, kTurningOn};
constexpr VmState kSayDeleteMachineTurnedOff[] = {kDeleteMachine, kTurnedOff};
constexpr VmState kSayTurnedOff[] = {kTurnedOff};

constexpr Step kStartFresh[] = {
    {kSayTurningOn, GuestWant::kRunning, GuestCondition::kRunning},
    {kSayRunning, GuestWant::kRunning, GuestCondition::kNone},
};
constexpr Step kStartSaved[] = {
    {kSayTurningOnRestoring, GuestWant::kRunning, GuestCondition::kRunning},
    {kSayRunning, GuestWant::kRunning, GuestCondition::kNone},
};
constexpr Step kSave[] = {
    {kSaySaving, GuestWant::kSaving, GuestCondition::kSaved},
    {kSayTurningOffDeleteMachine, GuestWant::kAbsent, GuestCondition::kAbsent},
    {kSayTurnedOff, GuestWant::kAbsent, GuestCondition::kNone},
};
constexpr Step kReset[] = {
    {kSayTurningOff, GuestWant::kAbsent, GuestCondition::kAbsent},
    {kSayDeleteMachineTurningOn, GuestWant::kRunning, GuestCondition::kRunning},
    {kSayRunning, GuestWant::kRunning, GuestCondition::kNone},
};
constexpr Step kPause[] = {
    {{}, GuestWant::kFrozen, GuestCondition::kFrozen},
    {kSayPaused, GuestWant::kFrozen, GuestCondition::kNone},
};
constexpr Step kResume[] = {
    {{}, GuestWant::kRunning, GuestCondition::kRunning},
    {kSayRunning, GuestWant::kRunning, GuestCondition::kNone},
};
constexpr Step kTurnOff[] = {
    {kSayTurningOff, GuestWant::kAbsent, GuestCondition::kAbsent},
    {kSayDeleteMachineTurnedOff, GuestWant::kAbsent, GuestCondition::kNone},
};

constexpr Plan kPlans[] = {
    {VmMethod::kStartUp, kTurnedOff, kRunning, kStartFresh},
    {VmMethod::kStartUp, kSaved, kRunning, kStartSaved},
    {VmMethod::kSave, kRunning, kSaved, kSave},
    {VmMethod::kReset, kRunning, kRunning, kReset},
    {VmMethod::kReset, kPaused, kRunning, kReset},
    {VmMethod::kPause, kRunning, kPaused, kPause},
    {VmMethod::kResume, kPaused, kRunning, kResume},
    {VmMethod::kTurnOff, kRunning, kTurnedOff, kTurnOff},
    {VmMethod::kTurnOff, kPaused, kTurnedOff, kTurnOff},
};

struct MethodRow {
  VmMethod method;
  std::string_view name;
  std::string_view verb;
};

constexpr std::array<MethodRow, kVmMethodCount> kMethods = {{
    {VmMethod::kStartUp, "StartUp", "start"},
    {VmMethod::kSave, "Save", "save"},
    {VmMethod::kReset, "Reset", "reset"},
    {VmMethod::kPause, "Pause", "pause"},
    {VmMethod::kResume, "Resume", "resume"},
    {VmMethod::kTurnOff, "TurnOff", "turn-off"},
}};

const MethodRow& row_of(VmMethod method) {
  const auto index = static_cast<std::size_t>(method);
  assert(index < kMethods.size());
  assert(kMethods[index].method == method);
  return kMethods[index];
}

// ---- Refusals -----------------------------------------------------------------------------------

// "Running or Paused": the states the method is legal in, in the order of the table.
std::string legal_states(VmMethod method) {
  std::string list;
  for (const Plan& plan : kPlans) {
    if (plan.method != method) continue;
    if (!list.empty()) list += " or ";
    list += name(plan.from);
  }
  return list;
}

struct Refusal {
  Code code;
  std::string_view next;
};

Refusal refusal_in(VmState state) {
  switch (state) {
    case kTurnedOff:
    case kSaved:
      return {Code::kVmNotRunning, "Start it first."};
    case kRunning:
      return {Code::kVmRunning, "Nothing has to be done to have it running."};
    case kPaused:
      return {Code::kVmPaused, "Resume it first, or turn it off."};
    case kInvalid:
      return {Code::kInvalidState, "Look at the events of the VM to see what became of it."};
    default:
      return {Code::kInvalidState, "Wait until what is under way has ended, then try again."};
  }
}

}  // namespace

std::span<const Plan> plans() {
  return kPlans;
}

Result<const Plan*> plan_of(VmMethod method, VmState state, std::string_view vm_name) {
  for (const Plan& plan : kPlans) {
    if (plan.method == method && plan.from == state) return &plan;
  }
  const Refusal refusal = refusal_in(state);
  std::string message = "Cannot ";
  message += verb(method);
  message += " VM '";
  message += vm_name;
  message += "': it is ";
  message += name(state);
  message += ", and this is possible only when it is ";
  message += legal_states(method);
  message += ".";
  std::string next(refusal.next);
  if (state == kPaused && method == VmMethod::kPause) next = "Nothing has to be done.";
  return Error{refusal.code, std::move(message), std::move(next)};
}

std::string_view name(VmMethod method) {
  return row_of(method).name;
}

std::string_view verb(VmMethod method) {
  return row_of(method).verb;
}

std::optional<VmMethod> vm_method_of_verb(std::string_view verb) {
  for (const MethodRow& row : kMethods) {
    if (row.verb == verb) return row.method;
  }
  return std::nullopt;
}

std::optional<VmMethod> vm_method_of(std::uint32_t number) {
  if (number >= kMethods.size()) return std::nullopt;
  return static_cast<VmMethod>(number);
}

std::string_view name(GuestCondition condition) {
  switch (condition) {
    case GuestCondition::kNone:
      return "none";
    case GuestCondition::kRunning:
      return "running";
    case GuestCondition::kFrozen:
      return "frozen";
    case GuestCondition::kAbsent:
      return "absent";
    case GuestCondition::kSaved:
      return "saved";
  }
  assert(false);
  return {};
}

std::string_view name(GuestWant want) {
  switch (want) {
    case GuestWant::kAbsent:
      return "absent";
    case GuestWant::kRunning:
      return "running";
    case GuestWant::kFrozen:
      return "frozen";
    case GuestWant::kSaving:
      return "saving";
  }
  assert(false);
  return {};
}

}  // namespace failsim
