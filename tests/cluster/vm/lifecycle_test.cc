#include "cluster/vm/lifecycle.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace failsim {
namespace {

using Events = std::vector<VmState>;
using Pair = std::pair<VmMethod, VmState>;

const Plan& plan(VmMethod method, VmState state) {
  const Result<const Plan*> result = plan_of(method, state, "web");
  EXPECT_TRUE(result.ok());
  return *result.value();
}

Events events_of(const Plan& plan) {
  Events events;
  for (const Step& step : plan.steps) {
    events.insert(events.end(), step.events.begin(), step.events.end());
  }
  return events;
}

// "Virtual Machine State Diagram", row by row.
const std::map<Pair, Events> kDiagram = {
    {{VmMethod::kStartUp, VmState::kTurnedOff}, {VmState::kTurningOn, VmState::kRunning}},
    {{VmMethod::kStartUp, VmState::kSaved},
     {VmState::kTurningOn, VmState::kRestoring, VmState::kRunning}},
    {{VmMethod::kSave, VmState::kRunning},
     {VmState::kSaving, VmState::kTurningOff, VmState::kDeleteMachine, VmState::kTurnedOff}},
    {{VmMethod::kReset, VmState::kRunning},
     {VmState::kTurningOff, VmState::kDeleteMachine, VmState::kTurningOn, VmState::kRunning}},
    {{VmMethod::kReset, VmState::kPaused},
     {VmState::kTurningOff, VmState::kDeleteMachine, VmState::kTurningOn, VmState::kRunning}},
    {{VmMethod::kPause, VmState::kRunning}, {VmState::kPaused}},
    {{VmMethod::kResume, VmState::kPaused}, {VmState::kRunning}},
    {{VmMethod::kTurnOff, VmState::kRunning},
     {VmState::kTurningOff, VmState::kDeleteMachine, VmState::kTurnedOff}},
    {{VmMethod::kTurnOff, VmState::kPaused},
     {VmState::kTurningOff, VmState::kDeleteMachine, VmState::kTurnedOff}},
};

// What a method says of a state it is not legal in.
Code refusal(VmState state) {
  switch (state) {
    case VmState::kTurnedOff:
    case VmState::kSaved:
      return Code::kVmNotRunning;
    case VmState::kRunning:
      return Code::kVmRunning;
    case VmState::kPaused:
      return Code::kVmPaused;
    default:
      return Code::kInvalidState;
  }
}

TEST(Lifecycle, EveryMethodInEveryStateAnnouncesWhatTheDiagramSaysOrIsRefused) {
  for (std::uint32_t m = 0; m < kVmMethodCount; ++m) {
    for (std::uint32_t s = 0; s < kVmStateCount; ++s) {
      const VmMethod method = *vm_method_of(m);
      const VmState state = *vm_state_of(s);
      SCOPED_TRACE(std::string(name(method)) + " in " + std::string(name(state)));
      const Result<const Plan*> result = plan_of(method, state, "web");
      const auto row = kDiagram.find({method, state});
      ASSERT_EQ(result.ok(), row != kDiagram.end());
      if (result.ok()) {
        EXPECT_EQ(events_of(*result.value()), row->second);
        EXPECT_EQ(result.value()->method, method);
        EXPECT_EQ(result.value()->from, state);
      } else {
        EXPECT_EQ(result.error().code, refusal(state));
      }
    }
  }
}

TEST(Lifecycle, TheTableHasNoPlanTheDiagramLacks) {
  EXPECT_EQ(plans().size(), kDiagram.size());
}

TEST(Lifecycle, APlanEndsInASettledStateWithTheGuestThatBelongsToIt) {
  for (const Plan& plan : plans()) {
    SCOPED_TRACE(std::string(name(plan.method)) + " in " + std::string(name(plan.from)));
    ASSERT_FALSE(plan.steps.empty());
    EXPECT_TRUE(is_settled(plan.from));
    EXPECT_TRUE(is_settled(plan.final_state));
    const GuestWant want = plan.steps.back().want;
    switch (plan.final_state) {
      case VmState::kRunning:
        EXPECT_EQ(want, GuestWant::kRunning);
        break;
      case VmState::kPaused:
        EXPECT_EQ(want, GuestWant::kFrozen);
        break;
      default:
        EXPECT_EQ(want, GuestWant::kAbsent);
    }
  }
}

TEST(Lifecycle, OnlyTheLastStepWaitsForNothingAndTheOthersWaitForWhatTheyWant) {
  const std::map<GuestWant, GuestCondition> reached = {
      {GuestWant::kAbsent, GuestCondition::kAbsent},
      {GuestWant::kRunning, GuestCondition::kRunning},
      {GuestWant::kFrozen, GuestCondition::kFrozen},
      {GuestWant::kSaving, GuestCondition::kSaved},
  };
  for (const Plan& plan : plans()) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const Step& step = plan.steps[i];
      const bool is_last = i + 1 == plan.steps.size();
      EXPECT_EQ(step.wait, is_last ? GuestCondition::kNone : reached.at(step.want));
    }
  }
}

TEST(Lifecycle, TheLastEventIsTheFinalStateExceptForSave) {
  for (const Plan& plan : plans()) {
    const VmState last = events_of(plan).back();
    if (plan.method == VmMethod::kSave) {
      EXPECT_EQ(last, VmState::kTurnedOff);
      EXPECT_EQ(plan.final_state, VmState::kSaved);
    } else {
      EXPECT_EQ(last, plan.final_state);
    }
  }
}

TEST(Lifecycle, SaveTearsTheSessionDownOnlyWhenTheMemoryIsSafe) {
  const Plan& save = plan(VmMethod::kSave, VmState::kRunning);
  ASSERT_EQ(save.steps.size(), 3U);
  EXPECT_EQ(save.steps[0].want, GuestWant::kSaving);
  EXPECT_EQ(save.steps[0].wait, GuestCondition::kSaved);
  EXPECT_EQ(save.steps[1].want, GuestWant::kAbsent);
  EXPECT_EQ(save.steps[1].wait, GuestCondition::kAbsent);
  EXPECT_EQ(save.steps[2].want, GuestWant::kAbsent);
}

TEST(Lifecycle, ResetStartsTheNewGuestOnlyWhenTheOldOneIsGone) {
  const Plan& reset = plan(VmMethod::kReset, VmState::kPaused);
  ASSERT_EQ(reset.steps.size(), 3U);
  EXPECT_EQ(reset.steps[0].want, GuestWant::kAbsent);
  EXPECT_EQ(reset.steps[0].wait, GuestCondition::kAbsent);
  EXPECT_EQ(reset.steps[1].want, GuestWant::kRunning);
  EXPECT_EQ(reset.steps[1].wait, GuestCondition::kRunning);
}

TEST(Lifecycle, PauseAndResumeAnnounceNothingBeforeTheGuestHasFollowed) {
  EXPECT_TRUE(plan(VmMethod::kPause, VmState::kRunning).steps[0].events.empty());
  EXPECT_TRUE(plan(VmMethod::kResume, VmState::kPaused).steps[0].events.empty());
}

TEST(Lifecycle, ARefusalSaysWhatWhereWhyAndWhatNext) {
  const Error error = plan_of(VmMethod::kPause, VmState::kSaved, "web").error();
  EXPECT_EQ(error.code, Code::kVmNotRunning);
  EXPECT_EQ(error.message,
            "Cannot pause VM 'web': it is Saved, and this is possible only when it is Running.");
  EXPECT_EQ(error.next, "Start it first.");

  const Error busy = plan_of(VmMethod::kTurnOff, VmState::kSaving, "db").error();
  EXPECT_EQ(busy.code, Code::kInvalidState);
  EXPECT_EQ(busy.message,
            "Cannot turn-off VM 'db': it is Saving, and this is possible only when it is Running "
            "or Paused.");
  EXPECT_FALSE(busy.next.empty());
}

TEST(Lifecycle, EveryRefusalSaysWhatToDoNext) {
  for (std::uint32_t m = 0; m < kVmMethodCount; ++m) {
    for (std::uint32_t s = 0; s < kVmStateCount; ++s) {
      const auto result = plan_of(*vm_method_of(m), *vm_state_of(s), "web");
      if (result.ok()) continue;
      EXPECT_FALSE(result.error().next.empty());
    }
  }
}

TEST(Lifecycle, MethodsHaveNamesAndVerbs) {
  const std::map<VmMethod, std::pair<std::string, std::string>> expected = {
      {VmMethod::kStartUp, {"StartUp", "start"}}, {VmMethod::kSave, {"Save", "save"}},
      {VmMethod::kReset, {"Reset", "reset"}},     {VmMethod::kPause, {"Pause", "pause"}},
      {VmMethod::kResume, {"Resume", "resume"}},  {VmMethod::kTurnOff, {"TurnOff", "turn-off"}},
  };
  EXPECT_EQ(expected.size(), kVmMethodCount);
  for (const auto& [method, names] : expected) {
    EXPECT_EQ(name(method), names.first);
    EXPECT_EQ(verb(method), names.second);
    EXPECT_EQ(vm_method_of_verb(names.second), method);
    EXPECT_EQ(vm_method_of(static_cast<std::uint32_t>(method)), method);
  }
  EXPECT_EQ(vm_method_of_verb("Start"), std::nullopt);
  EXPECT_EQ(vm_method_of_verb("stop"), std::nullopt);
  EXPECT_EQ(vm_method_of(6), std::nullopt);
}

TEST(Lifecycle, ConditionsAndWantsHaveNames) {
  EXPECT_EQ(name(GuestCondition::kNone), "none");
  EXPECT_EQ(name(GuestCondition::kRunning), "running");
  EXPECT_EQ(name(GuestCondition::kFrozen), "frozen");
  EXPECT_EQ(name(GuestCondition::kAbsent), "absent");
  EXPECT_EQ(name(GuestCondition::kSaved), "saved");
  EXPECT_EQ(name(GuestWant::kAbsent), "absent");
  EXPECT_EQ(name(GuestWant::kRunning), "running");
  EXPECT_EQ(name(GuestWant::kFrozen), "frozen");
  EXPECT_EQ(name(GuestWant::kSaving), "saving");
}

}  // namespace
}  // namespace failsim
