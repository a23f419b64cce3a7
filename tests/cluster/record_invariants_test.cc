// The checkers of what people are told can fail: each is shown a history that breaks its rule, and
// one that does not.

#include "cluster/record_invariants.h"

#include "cluster/vm/vm_state.h"
#include "tests/cluster/findings_story.h"

namespace failsim::invariants {
namespace {

class RecordStory : public FindingsStory {
 protected:
  static pb::Vm vm(VmState state, pb::GuestWant want) {
    pb::Vm vm;
    vm.set_name("web");
    vm.set_state(static_cast<std::uint32_t>(state));
    vm.set_want(want);
    vm.set_owner(1);
    return vm;
  }
  static pb::EventRecord moved(std::uint64_t number, const std::string& kind,
                               const std::string& object, std::uint32_t from, std::uint32_t to) {
    pb::EventRecord event;
    event.set_number(number);
    event.set_kind(kind);
    event.set_object(object);
    const auto add = [&event](const char* name, std::uint32_t value) {
      pb::EventRecord::Field& field = *event.add_fields();
      field.set_name(name);
      field.mutable_named()->set_value(value);
    };
    add("from", from);
    add("to", to);
    return event;
  }

  Transitions transitions_;
};

// ---- S16 ----------------------------------------------------------------------------------------

TEST_F(RecordStory, AVmAtRestSaysWhatItsGuestIsWantedToBe) {
  check_state_of_vm(vm(VmState::kRunning, pb::GUEST_RUNNING), findings_);
  check_state_of_vm(vm(VmState::kPaused, pb::GUEST_FROZEN), findings_);
  check_state_of_vm(vm(VmState::kTurnedOff, pb::GUEST_ABSENT), findings_);
  EXPECT_TRUE(clean());
  EXPECT_TRUE(was_tested("S16"));
}

TEST_F(RecordStory, AVmUnderWayMaySayAnything) {
  pb::Vm starting = vm(VmState::kTurningOn, pb::GUEST_RUNNING);
  starting.mutable_operation()->set_step(0);
  check_state_of_vm(starting, findings_);
  EXPECT_TRUE(clean());
  EXPECT_FALSE(was_tested("S16"));
}

TEST_F(RecordStory, ARunningVmWithoutAGuestIsFound) {
  check_state_of_vm(vm(VmState::kRunning, pb::GUEST_ABSENT), findings_);
  EXPECT_EQ(found("S16"), 1u);
}

TEST_F(RecordStory, AVmThatRestsInAStateThatPassesByIsFound) {
  check_state_of_vm(vm(VmState::kTurningOn, pb::GUEST_RUNNING), findings_);
  EXPECT_EQ(found("S16"), 1u);
}

TEST_F(RecordStory, ASavedVmWithoutItsStateIsFound) {
  pb::Vm saved = vm(VmState::kSaved, pb::GUEST_ABSENT);
  check_state_of_vm(saved, findings_);
  EXPECT_EQ(found("S16"), 1u);
  saved.set_has_saved_state(true);
  check_state_of_vm(saved, findings_);
  EXPECT_EQ(found("S16"), 1u);
}

// ---- S22 ----------------------------------------------------------------------------------------

TEST_F(RecordStory, ATransitionThatIsToldIsTheRowThatFollows) {
  transitions_.event(1, moved(1, "vm-state", "vm/web", 3, 5), findings_);
  transitions_.vm_row(1, vm(VmState::kRunning, pb::GUEST_RUNNING), 0, findings_);
  transitions_.event(1, moved(2, "vm-state", "vm/web", 5, 7), findings_);
  EXPECT_TRUE(clean());
  EXPECT_TRUE(was_tested("S22"));
}

TEST_F(RecordStory, ARowThatMovedUnseenIsFound) {
  transitions_.event(1, moved(1, "vm-state", "vm/web", 3, 5), findings_);
  transitions_.vm_row(1, vm(VmState::kPaused, pb::GUEST_FROZEN), 0, findings_);
  EXPECT_EQ(found("S22"), 1u);
}

TEST_F(RecordStory, AStepThatIsToldTwiceOrLeftOutIsFound) {
  transitions_.event(1, moved(1, "migration-state", "vm/web", 0, 1), findings_);
  transitions_.event(1, moved(2, "migration-state", "vm/web", 2, 3), findings_);
  EXPECT_EQ(found("S22"), 1u);
}

TEST_F(RecordStory, ANodeWhoseEventSaysOtherwiseIsFound) {
  transitions_.event(1, moved(1, "node-state", "node/node-2", 3, 0), findings_);
  pb::Node node;
  node.set_name("node-2");
  node.set_state(pb::NODE_DOWN);
  transitions_.node_row(1, node, findings_);
  EXPECT_EQ(found("S22"), 1u);
}

TEST_F(RecordStory, AnOwnerThatWasNotToldIsFound) {
  pb::EventRecord event;
  event.set_kind("owner");
  event.set_object("vm/web");
  event.set_node(2);
  transitions_.event(1, event, findings_);
  transitions_.vm_row(1, vm(VmState::kRunning, pb::GUEST_RUNNING), 0, findings_);
  EXPECT_EQ(found("S22"), 1u);
}

TEST_F(RecordStory, SaveEndsWithTurnedOffAndLeavesTheVmSaved) {
  transitions_.event(1, moved(1, "vm-state", "vm/web", 8, 1), findings_);
  transitions_.vm_row(1, vm(VmState::kSaved, pb::GUEST_ABSENT), 0, findings_);
  transitions_.event(1, moved(2, "vm-state", "vm/web", 2, 3), findings_);
  EXPECT_TRUE(clean());
}

TEST_F(RecordStory, AVmOfTheSameNameBeginsAnew) {
  transitions_.event(1, moved(1, "vm-state", "vm/web", 8, 1), findings_);
  pb::EventRecord deleted;
  deleted.set_kind("vm-deleted");
  deleted.set_object("vm/web");
  transitions_.event(1, deleted, findings_);
  transitions_.vm_row(1, vm(VmState::kRunning, pb::GUEST_RUNNING), 0, findings_);
  EXPECT_TRUE(clean());
}

// ---- S21, S23 -----------------------------------------------------------------------------------

TEST_F(RecordStory, ADamagedFrameThatIsTakenIsFound) {
  check_damaged_frame(1, 2, false, findings_);
  EXPECT_TRUE(clean());
  check_damaged_frame(1, 2, true, findings_);
  EXPECT_EQ(found("S21"), 1u);
}

TEST_F(RecordStory, AProcessThatComplainsIsFound) {
  check_process(1, "", findings_);
  EXPECT_TRUE(clean());
  check_process(1, "Assertion `x' failed.", findings_);
  EXPECT_EQ(found("S23"), 1u);
}

}  // namespace
}  // namespace failsim::invariants
