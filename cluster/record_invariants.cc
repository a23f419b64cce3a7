#include "cluster/record_invariants.h"

#include <optional>
#include <string_view>

#include "cluster/vm/vm_state.h"

namespace failsim::invariants {
namespace {

std::string state_text(std::uint32_t number) {
  const std::optional<VmState> state = vm_state_of(number);
  return state ? std::string(name(*state)) : std::to_string(number);
}

const pb::EventRecord::Field* field(const pb::EventRecord& event, std::string_view name) {
  for (const pb::EventRecord::Field& field : event.fields()) {
    if (field.name() == name) return &field;
  }
  return nullptr;
}

// The events of Save end with TurnedOff, as its documents have it, and leave the VM Saved.
bool is_same_state(const std::string& aspect, std::uint64_t told, std::uint64_t found) {
  return told == found ||
         (aspect == "vm-state" && told == static_cast<std::uint64_t>(VmState::kTurnedOff) &&
          found == static_cast<std::uint64_t>(VmState::kSaved));
}

// What a guest is wanted to be while its VM rests in this state.
std::optional<pb::GuestWant> wanted_at_rest(VmState state) {
  switch (state) {
    case VmState::kRunning:
      return pb::GUEST_RUNNING;
    case VmState::kPaused:
      return pb::GUEST_FROZEN;
    case VmState::kSaved:
    case VmState::kTurnedOff:
      return pb::GUEST_ABSENT;
    default:
      return std::nullopt;
  }
}

}  // namespace

// ---- S16 ----------------------------------------------------------------------------------------

void check_state_of_vm(const pb::Vm& vm, Findings& findings) {
  if (vm.has_operation()) return;
  findings.evaluated("S16");
  const std::optional<VmState> state = vm_state_of(vm.state());
  const std::optional<pb::GuestWant> wanted = state ? wanted_at_rest(*state) : std::nullopt;
  if (!wanted) {
    findings.add("S16", "VM " + vm.name() + " rests in state " + state_text(vm.state()));
  } else if (*wanted != vm.want()) {
    findings.add("S16", "VM " + vm.name() + " is " + state_text(vm.state()) +
                            " and its guest is wanted to be otherwise (" +
                            pb::GuestWant_Name(vm.want()) + ")");
  } else if (vm.has_saved_state() != (*state == VmState::kSaved)) {
    findings.add("S16", "VM " + vm.name() + " is " + state_text(vm.state()) + " and " +
                            (vm.has_saved_state() ? "has a saved state" : "has no saved state"));
  }
}

// ---- S22 ----------------------------------------------------------------------------------------

void Transitions::moves(const Place& place, std::uint64_t number, std::uint64_t from,
                        std::uint64_t to, Findings& findings) {
  const auto [known, added] = told_.emplace(place, to);
  if (!added && !is_same_state(place.aspect, known->second, from)) {
    findings.add("S22", "event " + std::to_string(number) + " tells that the " + place.aspect +
                            " of " + place.object + " leaves " + std::to_string(from) +
                            ", and the event before it left " + std::to_string(known->second));
  }
  known->second = to;
}

void Transitions::event(NodeId replica, const pb::EventRecord& event, Findings& findings) {
  if (event.kind() == "vm-deleted") return forget_object(replica, event.object());
  if (event.kind() == "owner") {
    told_[{replica, event.object(), "owner"}] = event.node();
    return;
  }
  const bool is_transition = event.kind() == "vm-state" || event.kind() == "node-state" ||
                             event.kind() == "migration-state";
  if (!is_transition) return;
  const pb::EventRecord::Field* from = field(event, "from");
  const pb::EventRecord::Field* to = field(event, "to");
  if (from == nullptr || to == nullptr) {
    findings.add("S22", "event " + std::to_string(event.number()) +
                            " tells of a change and does not say from what to what");
    return;
  }
  moves({replica, event.object(), event.kind()}, event.number(), from->named().value(),
        to->named().value(), findings);
}

void Transitions::compare(const Place& place, std::uint64_t row, Findings& findings) const {
  const auto known = told_.find(place);
  if (known == told_.end()) return;
  findings.evaluated("S22");
  if (is_same_state(place.aspect, known->second, row)) return;
  findings.add("S22", "at " + node_name(place.replica) + " the " + place.aspect + " of " +
                          place.object + " is " + std::to_string(row) +
                          ", and the last event told " + std::to_string(known->second));
}

void Transitions::vm_row(NodeId replica, const pb::Vm& vm, std::uint32_t migration_state,
                         Findings& findings) {
  const std::string object = "vm/" + vm.name();
  compare({replica, object, "vm-state"}, vm.state(), findings);
  compare({replica, object, "migration-state"}, migration_state, findings);
  compare({replica, object, "owner"}, vm.owner(), findings);
}

void Transitions::node_row(NodeId replica, const pb::Node& node, Findings& findings) {
  compare({replica, "node/" + node.name(), "node-state"}, node.state(), findings);
}

void Transitions::forget_object(NodeId replica, const std::string& object) {
  std::erase_if(told_, [&](const auto& entry) {
    return entry.first.replica == replica && entry.first.object == object;
  });
}

void Transitions::restarted(NodeId replica) {
  std::erase_if(told_, [&](const auto& entry) { return entry.first.replica == replica; });
}

// ---- S21, S23 -----------------------------------------------------------------------------------

void check_damaged_frame(NodeId from, NodeId to, bool is_accepted, Findings& findings) {
  findings.evaluated("S21");
  if (!is_accepted) return;
  findings.add("S21", node_name(to) + " takes a frame of " + node_name(from) +
                          " for whole that was damaged on the way");
}

void check_process(NodeId node, const std::string& complaint, Findings& findings) {
  findings.evaluated("S23");
  if (!complaint.empty()) findings.add("S23", node_name(node) + ": " + complaint);
}

}  // namespace failsim::invariants
