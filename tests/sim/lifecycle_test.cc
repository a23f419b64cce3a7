// The state diagram: each method announces exactly its events, in order.

#include "tests/sim/story.h"

namespace failsim::sim {
namespace {

using Names = std::vector<std::string>;

class Lifecycle : public Story {
 protected:
  void begin_with_vm() {
    begin();
    owner_ = node_beside({leader()});
    run_vm("web", owner_);
  }

  // The events of the method, which has to be accepted.
  Names events_of(VmMethod asked) {
    const std::uint64_t since = last_event();
    const pb::Reply reply = method("web", asked);
    EXPECT_EQ(reply.code(), 0u) << reply.message();
    wait_for_task(reply.task());
    EXPECT_EQ(state().task(reply.task())->result(), 0u);
    return changes("vm-state", "web", since);
  }

  void expect_refused(VmMethod asked, Code code) {
    const std::uint64_t since = last_event();
    const VmState before = vm_state("web");
    EXPECT_EQ(static_cast<Code>(method("web", asked).code()), code) << name(asked);
    EXPECT_EQ(last_event(), since);
    EXPECT_EQ(vm_state("web"), before);
  }

  NodeId owner_ = kNoNode;
};

TEST_F(Lifecycle, TurnOffAndStart) {
  begin_with_vm();
  EXPECT_EQ(events_of(VmMethod::kTurnOff), (Names{"TurningOff", "DeleteMachine", "TurnedOff"}));
  EXPECT_EQ(vm_state("web"), VmState::kTurnedOff);
  EXPECT_FALSE(world().process(owner_)->host().has_guest("web"));
  EXPECT_EQ(events_of(VmMethod::kStartUp), (Names{"TurningOn", "Running"}));
  expect_alive("web", owner_);
}

TEST_F(Lifecycle, SaveAndRestoreContinueTheCounter) {
  begin_with_vm();
  pass(kSecond);
  EXPECT_EQ(events_of(VmMethod::kSave),
            (Names{"Saving", "TurningOff", "DeleteMachine", "TurnedOff"}));
  EXPECT_EQ(vm_state("web"), VmState::kSaved);
  const std::uint64_t saved = world().volume().volume().vm("web")->last_counter;
  EXPECT_FALSE(world().process(owner_)->host().has_guest("web"));
  pass(5 * kSecond);
  EXPECT_EQ(events_of(VmMethod::kStartUp), (Names{"TurningOn", "Restoring", "Running"}));
  EXPECT_GE(counter("web", owner_), saved);
  EXPECT_LE(counter("web", owner_), saved + 5);
  expect_alive("web", owner_);
}

TEST_F(Lifecycle, PauseAndResume) {
  begin_with_vm();
  EXPECT_EQ(events_of(VmMethod::kPause), Names{"Paused"});
  EXPECT_FALSE(executes("web", owner_));
  EXPECT_TRUE(world().process(owner_)->host().has_guest("web"));
  const std::uint64_t paused = counter("web", owner_);
  pass(3 * kSecond);
  EXPECT_EQ(counter("web", owner_), paused);
  EXPECT_EQ(events_of(VmMethod::kResume), Names{"Running"});
  expect_alive("web", owner_);
}

TEST_F(Lifecycle, ResetStartsAFreshGuest) {
  begin_with_vm();
  const std::uint64_t boot = state().vm("web")->boot_id();
  EXPECT_EQ(events_of(VmMethod::kReset),
            (Names{"TurningOff", "DeleteMachine", "TurningOn", "Running"}));
  EXPECT_GT(state().vm("web")->boot_id(), boot);
  expect_alive("web", owner_);
  events_of(VmMethod::kPause);
  EXPECT_EQ(events_of(VmMethod::kReset),
            (Names{"TurningOff", "DeleteMachine", "TurningOn", "Running"}));
  expect_alive("web", owner_);
}

TEST_F(Lifecycle, APausedVmIsTurnedOff) {
  begin_with_vm();
  events_of(VmMethod::kPause);
  EXPECT_EQ(events_of(VmMethod::kTurnOff), (Names{"TurningOff", "DeleteMachine", "TurnedOff"}));
}

TEST_F(Lifecycle, MethodsOfTheWrongStateAreRefusedAndChangeNothing) {
  begin_with_vm();
  expect_refused(VmMethod::kStartUp, Code::kVmRunning);
  expect_refused(VmMethod::kResume, Code::kVmRunning);
  events_of(VmMethod::kPause);
  expect_refused(VmMethod::kSave, Code::kVmPaused);
  expect_refused(VmMethod::kPause, Code::kVmPaused);
  events_of(VmMethod::kTurnOff);
  expect_refused(VmMethod::kSave, Code::kVmNotRunning);
  expect_refused(VmMethod::kTurnOff, Code::kVmNotRunning);
  expect_refused(VmMethod::kReset, Code::kVmNotRunning);
}

TEST_F(Lifecycle, ASaveThatCannotBeWrittenFailsTheTask) {
  begin_with_vm();
  world().process(owner_)->host().faults().fail(HostStep::kSave);
  const pb::Reply reply = method("web", VmMethod::kSave);
  wait_for_task(reply.task());
  EXPECT_NE(state().task(reply.task())->result(), 0u);
  pass(3 * kSecond);
  EXPECT_TRUE(is_settled(vm_state("web")));
}

// The owner hears late that it shall run the guest on, and repeats the failure until then.
TEST_F(Lifecycle, ASaveThatFailsOnASlowLinkLeavesTheVmWithItsOwner) {
  begin_with_vm();
  const std::uint64_t since = last_event();
  LinkRule slow_link;
  slow_link.does = LinkRule::Does::kDelay;
  slow_link.delay_min = 350 * kMillisecond;
  slow_link.delay_max = 400 * kMillisecond;
  world().network().add(leader(), owner_, slow_link);
  world().process(owner_)->host().faults().fail(HostStep::kSave);
  wait_for_task(method("web", VmMethod::kSave).task());
  pass(10 * kSecond);
  EXPECT_TRUE(changes("owner", "web", since).empty());
  expect_alive("web", owner_);
}

TEST_F(Lifecycle, ASavedVmIsRestoredOnTheNodeThatTakesItOver) {
  begin_with_vm();
  events_of(VmMethod::kSave);
  const std::uint64_t saved = world().volume().volume().vm("web")->last_counter;
  world().kill(owner_, World::Evidence::kReported);
  wait("another owns it", [this] { return owner("web") != owner_; });
  EXPECT_EQ(events_of(VmMethod::kStartUp), (Names{"TurningOn", "Restoring", "Running"}));
  EXPECT_GE(counter("web", owner("web")), saved);
  expect_alive("web", owner("web"));
}

// Nobody hears that the restored guest works, and then its owner dies.
TEST_F(Lifecycle, ARestoredVmThatHasWorkedUnseenIsStartedColdAtOnce) {
  begin_with_vm();
  events_of(VmMethod::kSave);
  const std::uint64_t saved = world().volume().volume().vm("web")->last_counter;
  const std::uint64_t since = last_event();
  const pb::Reply reply = method("web", VmMethod::kStartUp);
  for (const NodeId other : world().nodes()) {
    if (other != owner_) world().network().cut(owner_, other);
  }
  wait("it has worked",
       [&] { return world().volume().volume().vm("web")->last_counter > saved + 3; });
  EXPECT_EQ(vm_state("web"), VmState::kRestoring);
  world().kill(owner_, World::Evidence::kReported);
  wait_for_task(reply.task());
  EXPECT_EQ(state().task(reply.task())->result(), 0u);
  EXPECT_EQ(changes("vm-state", "web", since),
            (Names{"TurningOn", "Restoring", "TurningOn", "Running"}));
  EXPECT_EQ(changes("owner", "web", since).size(), 2u) << "to the next node, and anew in its place";
  expect_alive("web", owner("web"));
}

TEST_F(Lifecycle, ARestoreThatItsOwnerBarelyBeganIsARestoreElsewhere) {
  begin_with_vm();
  events_of(VmMethod::kSave);
  const std::uint64_t saved = world().volume().volume().vm("web")->last_counter;
  const std::uint64_t since = last_event();
  const StorageRules::Id stall = world().volume().add(StorageRule{});
  const pb::Reply reply = method("web", VmMethod::kStartUp);
  pass(100 * kMillisecond);
  world().kill(owner_, World::Evidence::kReported);
  world().volume().remove(stall);
  wait_for_task(reply.task());
  EXPECT_EQ(state().task(reply.task())->result(), 0u);
  EXPECT_EQ(changes("vm-state", "web", since), (Names{"TurningOn", "Restoring", "Running"}));
  EXPECT_LE(counter("web", owner("web")), saved + 5);
  expect_alive("web", owner("web"));
}

TEST_F(Lifecycle, TheSameRequestTwiceActsOnce) {
  begin();
  pb::Request request;
  request.set_client("twice");
  request.set_sequence(1);
  request.mutable_create_vm()->set_name("web");
  *request.mutable_create_vm()->mutable_config() = small_vm();
  std::vector<pb::Reply> replies;
  for (int i = 0; i < 2; ++i) {
    world().ask(leader(), request, [&](const pb::Reply& reply) { replies.push_back(reply); });
    pass(kSecond);
  }
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].code(), 0u);
  EXPECT_EQ(replies[0].SerializeAsString(), replies[1].SerializeAsString());
}

}  // namespace
}  // namespace failsim::sim
