// Faults as they are ordered: each breaks what it names, is listed, ends by itself, and leaves
// nothing behind.

#include "tools/sim/injector.h"

#include <algorithm>
#include <memory>

#include "tests/sim/story.h"

namespace failsim::sim {
namespace {

class InjectorStory : public Story {
 protected:
  void begin_with_vm() {
    begin();
    injector_ = std::make_unique<Injector>(world(), 5);
    run_vm("web", 1);
  }
  Result<FaultId> inject(const std::string& line) {
    const Result<fault::Order> order = fault::parse_order(line);
    EXPECT_TRUE(order.ok()) << line << ": " << (order.ok() ? "" : order.error().message);
    return injector_->inject(order.value());
  }
  FaultId done(const std::string& line) {
    const Result<FaultId> id = inject(line);
    EXPECT_TRUE(id.ok()) << line << ": " << (id.ok() ? "" : id.error().message);
    return id.ok() ? id.value() : 0;
  }
  Code refused(const std::string& line) {
    const Result<FaultId> id = inject(line);
    EXPECT_FALSE(id.ok()) << line;
    return id.ok() ? Code::kOk : id.error().code;
  }
  Injector& injector() { return *injector_; }
  std::size_t running() {
    return static_cast<std::size_t>(
        std::count_if(world().nodes().begin(), world().nodes().end(),
                      [this](NodeId node) { return world().is_running(node); }));
  }
  // The cluster is whole again: three nodes, and the VM works.
  void expect_whole() {
    injector().heal_all();
    EXPECT_TRUE(injector().list().empty());
    wait("everything is whole", [this] {
      if (running() < world().nodes().size() || leader() == kNoNode) return false;
      const NodeId owner_now = owner("web");
      return executes("web", owner_now) && migration_state("web") != MigrationState::kSetup;
    });
    expect_alive("web", owner("web"));
  }

  std::unique_ptr<Injector> injector_;
};

TEST_F(InjectorStory, EveryKindThatTheTableGivesThisWorldIsPerformedHere) {
  for (const fault::Kind& kind : fault::kinds()) {
    EXPECT_EQ(FaultActions::has(kind.name), kind.in_virtual.is_performed) << kind.name;
  }
}

TEST_F(InjectorStory, AFaultIsListedAndEndsWithItsLease) {
  begin_with_vm();
  const FaultId id = done("freeze node-2 for=3s");
  ASSERT_EQ(injector().list().size(), 1u);
  const ActiveFault listed = injector().list().front();
  EXPECT_EQ(listed.id, id);
  EXPECT_EQ(listed.order, "freeze node-2 for=3s");
  EXPECT_EQ(listed.hit, "node-2");
  EXPECT_EQ(listed.until, world().now() + 3 * kSecond);
  EXPECT_TRUE(world().is_stopped(2));
  pass(3 * kSecond);
  EXPECT_FALSE(world().is_stopped(2));
  EXPECT_TRUE(injector().list().empty());
  EXPECT_EQ(injector().heal(id)->code, Code::kNotFound);
  EXPECT_EQ(injector().injected().at("freeze"), 1u);
}

TEST_F(InjectorStory, AKilledNodeIsStartedWhenItsLastFaultEnds) {
  begin_with_vm();
  done("kill node-3 for=2s");
  EXPECT_FALSE(world().is_running(3));
  EXPECT_EQ(refused("kill node-3"), Code::kNodeDown);
  world().start(3);
  pass(kSecond);
  const FaultId second = done("power-off node-3 for=60s");
  pass(5 * kSecond);
  EXPECT_FALSE(world().is_running(3)) << "the first fault's end does not start it";
  EXPECT_FALSE(injector().heal(second).has_value());
  EXPECT_TRUE(world().is_running(3));
  expect_whole();
}

TEST_F(InjectorStory, ATerminatedNodeIsStartedAlsoWhenItIsHealedWhileItLeaves) {
  begin_with_vm();
  const FaultId id = done("terminate node-2");
  EXPECT_TRUE(world().is_running(2)) << "it says farewell";
  EXPECT_FALSE(injector().heal(id).has_value());
  const Incarnation leaving = world().process(2)->incarnation();
  wait("it is back",
       [&] { return world().is_running(2) && world().process(2)->incarnation() != leaving; });
  expect_whole();
}

TEST_F(InjectorStory, ANodeWithAnotherDiskHasNoVoteUntilItsOwnComesBack) {
  begin_with_vm();
  const NodeId follower = node_beside({leader(), owner("web")});
  const StoreId own = world().disk(follower).store_id();
  const std::string name = node_name(follower);
  const FaultId replaced = done("disk-replace " + name);
  EXPECT_TRUE(world().is_running(follower));
  EXPECT_NE(world().disk(follower).store_id(), own);
  EXPECT_EQ(refused("disk-replace " + name), Code::kInvalidState);
  EXPECT_EQ(refused("freeze leader survivable"), Code::kNoQuorum);
  const NodeId leading = leader();
  done("kill " + node_name(leading));
  pass(10 * kSecond);
  EXPECT_EQ(leader(), kNoNode) << "one of the two that run has no vote";
  EXPECT_FALSE(injector().heal(replaced).has_value());
  EXPECT_EQ(world().disk(follower).store_id(), own);
  wait("the two elect a leader", [this] { return leader() != kNoNode; });
  expect_whole();
}

// ---- Stores that are not what they were ---------------------------------------------------------

TEST_F(InjectorStory, ANodeWithAFlippedBitDoesNotStartUntilItIsFlippedBack) {
  begin_with_vm();
  for (const char* part : {"log", "table"}) {
    SCOPED_TRACE(part);
    const NodeId hit = node_beside({leader()});
    const FaultId id = done("disk-flip " + node_name(hit) + " part=" + part);
    EXPECT_FALSE(world().is_running(hit)) << "it was started, and refused its store";
    EXPECT_EQ(refused("disk-replace " + node_name(leader()) + "," + node_name(hit)),
              Code::kNodeDown);
    world().start(hit);
    EXPECT_FALSE(world().is_running(hit));
    pass(5 * kSecond);
    EXPECT_FALSE(injector().heal(id).has_value());
    EXPECT_TRUE(world().is_running(hit));
    expect_whole();
  }
  EXPECT_GE(world().checker().coverage().counts().at("store refused at its start"), 4u);
}

TEST_F(InjectorStory, AnOlderCopyOfAStoreIsNotListenedToAndItsProcessEnds) {
  begin_with_vm();
  const NodeId hit = node_beside({leader(), owner("web")});
  const FaultId first = done("kill " + node_name(hit) + " for=1s");
  pass(5 * kSecond);
  EXPECT_TRUE(injector().heal(first).has_value()) << "its lease is over";
  set_dword("cluster", "", "SameSubnetThreshold", 4);
  const FaultId restored = done("disk-restore " + node_name(hit));
  EXPECT_TRUE(world().is_running(hit)) << "its store is whole, if old";
  wait("it finds out", [&] { return !world().is_running(hit); });
  world().start(hit);
  EXPECT_FALSE(world().is_running(hit)) << "it has written down that it is superseded";
  const NodeId leading = leader();
  const FaultId killed = done("kill " + node_name(leading));
  world().start(hit);
  pass(10 * kSecond);
  EXPECT_EQ(leader(), kNoNode) << "one of the two that run has no say";
  EXPECT_FALSE(injector().heal(restored).has_value());
  wait("the two elect a leader", [this] { return leader() != kNoNode; });
  EXPECT_FALSE(injector().heal(killed).has_value());
  expect_whole();
}

TEST_F(InjectorStory, AnOlderCopyThatStartsAgainAndAgainUnheardIsNotListenedToEither) {
  begin_with_vm();
  const NodeId hit = node_beside({leader(), owner("web")});
  done("kill " + node_name(hit) + " for=1s");
  pass(5 * kSecond);
  const std::uint64_t newest = world().disk(hit).starts();
  const FaultId unheard = done("isolate " + node_name(hit));
  const FaultId restored = done("disk-restore " + node_name(hit));
  const FaultId loop = done("crash-loop " + node_name(hit) + " every=1s");
  pass(4 * kSecond);
  EXPECT_FALSE(injector().heal(loop).has_value());
  EXPECT_GT(world().disk(hit).starts(), newest) << "it has passed the newest start";
  EXPECT_TRUE(world().is_running(hit)) << "nobody could tell it";
  EXPECT_FALSE(injector().heal(unheard).has_value());
  wait("it finds out", [&] { return !world().is_running(hit); });
  EXPECT_FALSE(injector().heal(restored).has_value());
  expect_whole();
}

TEST_F(InjectorStory, ADiskThatLiesIsFoundOutWhenThePowerGoes) {
  begin_with_vm();
  const NodeId hit = node_beside({leader(), owner("web")});
  EXPECT_EQ(refused("disk-lie all"), Code::kInvalidState) << "who would remember?";
  const FaultId lie = done("disk-lie " + node_name(hit));
  EXPECT_EQ(refused("disk-restore " + node_name(hit)), Code::kInvalidState);
  set_dword("cluster", "", "SameSubnetThreshold", 4);
  pass(kSecond);
  EXPECT_FALSE(injector().heal(done("kill " + node_name(hit))).has_value());
  pass(2 * kSecond);
  EXPECT_TRUE(world().is_running(hit)) << "what a kill leaves, the disk still has";
  const FaultId power = done("power-off " + node_name(hit));
  EXPECT_FALSE(injector().heal(power).has_value());
  EXPECT_TRUE(world().is_running(hit));
  wait("it finds out", [&] { return !world().is_running(hit); });
  EXPECT_FALSE(injector().heal(lie).has_value());
  expect_whole();
}

TEST_F(InjectorStory, ANodeThatStopsSlowlyIsThereForSoLong) {
  begin_with_vm();
  const FaultId slow = done("slow-stop node-2 by=10s");
  const FaultId stopped = done("terminate node-2");
  pass(9 * kSecond);
  EXPECT_TRUE(world().is_running(2));
  pass(2 * kSecond);
  EXPECT_FALSE(world().is_running(2));
  EXPECT_FALSE(injector().heal(stopped).has_value());
  EXPECT_FALSE(injector().heal(slow).has_value());
  expect_whole();
}

TEST_F(InjectorStory, ANodeOfAnotherVersionIsNotHeardAndSaysSo) {
  begin_with_vm();
  const NodeId hit = node_beside({leader(), owner("web")});
  const FaultId skew = done("version-skew " + node_name(hit));
  wait("it is Down", [&] { return state().node(hit)->state() == pb::NODE_DOWN; });
  EXPECT_FALSE(injector().heal(skew).has_value());
  wait("it is Up", [&] { return state().node(hit)->state() == pb::NODE_UP; });
  expect_whole();
}

TEST_F(InjectorStory, AnOlderCopyIsRefusedWhereNobodyCouldTell) {
  begin_with_vm();
  EXPECT_EQ(refused("disk-restore node-2 age=5"), Code::kInvalidState) << "it is not that old";
  EXPECT_EQ(refused("disk-restore all"), Code::kInvalidState) << "who would know?";
  done("kill node-3");
  EXPECT_EQ(refused("disk-restore node-2"), Code::kInvalidState) << "node-1 alone knows";
  expect_whole();
}

TEST_F(InjectorStory, NodesRefuseEachOthersStores) {
  begin_with_vm();
  EXPECT_EQ(refused("disk-swap node-2"), Code::kInvalidParameter);
  const FaultId id = done("disk-swap node-2,node-3");
  EXPECT_FALSE(world().is_running(2));
  EXPECT_FALSE(world().is_running(3));
  EXPECT_FALSE(injector().heal(id).has_value());
  expect_whole();
}

// ---- There and back, again and again ------------------------------------------------------------

TEST_F(InjectorStory, ANodeThatCrashesAgainAndAgainStaysWhenItIsHealed) {
  begin_with_vm();
  const NodeId hit = node_beside({leader(), owner("web")});
  const FaultId id = done("crash-loop " + node_name(hit) + " every=2s for=60s");
  EXPECT_FALSE(world().is_running(hit));
  pass(1500 * kMillisecond);
  EXPECT_TRUE(world().is_running(hit));
  const std::uint64_t starts = world().disk(hit).starts();
  pass(10 * kSecond);
  EXPECT_EQ(world().disk(hit).starts(), starts + 5);
  EXPECT_FALSE(injector().heal(id).has_value());
  EXPECT_TRUE(world().is_running(hit));
  const std::uint64_t last = world().disk(hit).starts();
  pass(10 * kSecond);
  EXPECT_EQ(world().disk(hit).starts(), last);
  expect_whole();
}

TEST_F(InjectorStory, AFlappingLinkIsCutHalfOfTheTimeAndWholeInTheEnd) {
  begin_with_vm();
  const FaultId id = done("link-flap node-1<->node-2 every=2s");
  EXPECT_TRUE(world().network().is_cut(1, 2));
  pass(1500 * kMillisecond);
  EXPECT_FALSE(world().network().has_cuts());
  pass(kSecond);
  EXPECT_TRUE(world().network().is_cut(2, 1));
  EXPECT_FALSE(injector().heal(id).has_value());
  pass(10 * kSecond);
  EXPECT_FALSE(world().network().has_cuts());
  expect_whole();
}

TEST_F(InjectorStory, AStrobingClockIsRightInTheEnd) {
  begin_with_vm();
  const FaultId id = done("clock-strobe node-1 by=-30s every=2s");
  EXPECT_EQ(world().machine(1).clock.wall_offset(), -30 * kSecond);
  pass(1500 * kMillisecond);
  EXPECT_EQ(world().machine(1).clock.wall_offset(), 0);
  pass(kSecond);
  EXPECT_EQ(world().machine(1).clock.wall_offset(), -30 * kSecond);
  EXPECT_FALSE(injector().heal(id).has_value());
  EXPECT_EQ(world().machine(1).clock.wall_offset(), 0);
  expect_whole();
}

TEST_F(InjectorStory, OverlappingFaultsOfOneLinkAreTakenBackOneByOne) {
  begin_with_vm();
  const FaultId cut = done("link-cut node-1<->node-2");
  const FaultId isolated = done("isolate node-1");
  injector().heal(cut);
  EXPECT_TRUE(world().network().is_cut(1, 2));
  injector().heal(isolated);
  EXPECT_FALSE(world().network().has_cuts());
  expect_whole();
}

TEST_F(InjectorStory, OrdersThatHitNothingAreRefused) {
  begin_with_vm();
  EXPECT_EQ(refused("kill node-9"), Code::kNodeNotFound);
  EXPECT_EQ(refused("kill owner(nobody)"), Code::kResourceNotFound);
  EXPECT_EQ(refused("kill source(web)"), Code::kNotReady);
  EXPECT_EQ(refused("guest-crash nobody"), Code::kResourceNotFound);
  EXPECT_EQ(refused("link-cut node-1->volume class=heartbeat"), Code::kInvalidParameter);
  EXPECT_EQ(refused("link-duplicate node-1->node-2 share=10% class=data"), Code::kInvalidParameter);
  EXPECT_EQ(refused("link-reset node-1->node-2 class=heartbeat"), Code::kInvalidParameter);
  world().kill(2);
  EXPECT_EQ(refused("freeze node-2"), Code::kNodeDown);
  EXPECT_TRUE(injector().list().empty());
  world().start(2);
}

TEST_F(InjectorStory, SurvivableLeavesAQuorum) {
  begin_with_vm();
  done("kill all survivable for=20s");
  EXPECT_EQ(running(), 2u);
  ASSERT_EQ(injector().list().size(), 1u);
  EXPECT_NE(injector().list().front().weakened.find("1 instead of 3"), std::string::npos);
  EXPECT_EQ(refused("freeze majority survivable"), Code::kNoQuorum);
  EXPECT_EQ(refused("isolate leader survivable"), Code::kNoQuorum);
  expect_whole();
}

TEST_F(InjectorStory, AGreyNodeBeatsAndDoesNothingElse) {
  begin_with_vm();
  const NodeId follower = node_beside({leader(), owner("web")});
  const NodeId leading = leader();
  done("grey " + node_name(follower) + " for=20s");
  pass(10 * kSecond);
  EXPECT_TRUE(world().member(leading).hears(follower, world().now()));
  EXPECT_FALSE(world().ask(follower, pb::Request(), [](const pb::Reply&) {}));
  EXPECT_LT(world().member(follower).log().commit_index(),
            world().member(leading).log().commit_index() + 1);
  expect_whole();
}

TEST_F(InjectorStory, ASlowClockBeyondTheBoundBreaksAnAssumptionAndIsSaidSo) {
  begin_with_vm();
  // The owner's clock stands nearly still, so that its lease does not end; then it is cut off.
  done("clock-drift node-1 ppm=100000 direction=slow");
  done("clock-drift node-1 ppm=100000 direction=slow");
  done("clock-drift node-1 ppm=100000 direction=slow");
  done("clock-drift node-1 ppm=100000 direction=slow");
  pass(2 * kSecond);
  done("isolate node-1 for=20s");
  done("link-cut node-1<->volume for=20s");
  pass(15 * kSecond);
  EXPECT_FALSE(world().checker().broken_assumptions().empty());
  expect_whole();
}

TEST_F(InjectorStory, ClocksWithinTheBoundKeepTheLeaseSafe) {
  begin_with_vm();
  done("clock-drift node-1 ppm=450 direction=slow");
  done("clock-drift node-2,node-3 ppm=450 direction=fast");
  pass(20 * kSecond);
  done("isolate node-1 for=20s");
  pass(15 * kSecond);
  EXPECT_NE(owner("web"), 1u) << "it has failed over";
  EXPECT_TRUE(world().checker().broken_assumptions().empty());
  expect_whole();
}

TEST_F(InjectorStory, AWallClockThatJumpsDatesEventsAndMovesNothingElse) {
  begin_with_vm();
  const std::uint64_t before = last_event();
  done("clock-jump all by=-300s");
  for (const NodeId node : world().nodes()) {
    world().kill(node);
    world().start(node);
  }
  wait("it runs again", [this] { return leader() != kNoNode && executes("web", owner("web")); });
  const auto& events = state().events();
  EXPECT_LT(events.at(last_event())->wall_time_ns(), events.at(before)->wall_time_ns());
  expect_whole();
}

TEST_F(InjectorStory, LateTimersCostTimeAndNothingElse) {
  begin_with_vm();
  done("timer-late all by=200ms for=10s");
  pass(10 * kSecond);
  expect_whole();
}

TEST_F(InjectorStory, AFullDiskEndsTheProcessAndHealingStartsIt) {
  begin_with_vm();
  done("disk-fail node-1 error=ENOSPC after=2KiB for=30s");
  for (std::uint32_t i = 0; i < 40 && world().is_running(1); ++i) {
    set_dword("cluster", "", "SameSubnetDelay", 250 + i);
    pass(200 * kMillisecond);
  }
  wait("the process ends", [this] { return !world().is_running(1); });
  expect_whole();
}

TEST_F(InjectorStory, AStalledDiskWritesNothingUntilItsStallEnds) {
  begin_with_vm();
  const NodeId follower = node_beside({leader(), 1});
  done("disk-stall " + node_name(follower) + " stall=2s");
  const Index before = world().member(follower).log().commit_index();
  set_dword("cluster", "", "SameSubnetDelay", 251);
  pass(kSecond);
  EXPECT_FALSE(world().disk(follower).is_idle());
  pass(2 * kSecond);
  EXPECT_TRUE(world().disk(follower).is_idle());
  EXPECT_GT(world().member(follower).log().commit_index(), before);
  EXPECT_EQ(injector().list().size(), 1u) << "the lease is longer than the stall";
  expect_whole();
}

TEST_F(InjectorStory, ASlowDiskTakesItsTime) {
  begin_with_vm();
  done("disk-slow all min=50ms for=10s");
  const Time before = world().now();
  set_dword("cluster", "", "SameSubnetDelay", 252);
  EXPECT_GT(world().now() - before, 50 * kMillisecond);
  expect_whole();
}

TEST_F(InjectorStory, TheVolumeStallsIsSlowRestartsAndFails) {
  begin_with_vm();
  const std::uint64_t before = counter("web", 1);
  const FaultId stall = done("volume-stall");
  pass(2 * kSecond);
  EXPECT_LE(counter("web", 1), before + 2);
  injector().heal(stall);
  done("volume-restart");
  done("volume-slow min=5ms for=1s");
  pass(3 * kSecond);
  expect_alive("web", owner("web"));
  done("volume-fail for=2s");
  pass(10 * kSecond);
  expect_whole();
}

// A guest waits for a disk that fails, whatever is asked of it meanwhile.
TEST_F(InjectorStory, AFailingVolumeCostsAGuestTimeAndNotItsLife) {
  begin_with_vm();
  const std::uint64_t boot = state().vm("web")->boot_id();
  done("volume-fail for=3s");
  pass(kSecond);
  const pb::Reply save = method("web", VmMethod::kSave);
  wait_for_task(save.task());
  EXPECT_EQ(state().task(save.task())->result(), 0u);
  wait_for_task(method("web", VmMethod::kStartUp).task());
  EXPECT_EQ(owner("web"), 1u);
  EXPECT_EQ(state().vm("web")->boot_id(), boot) << "nothing of its memory is lost";
  expect_whole();
}

TEST_F(InjectorStory, ACrashedGuestIsStartedAgain) {
  begin_with_vm();
  const std::uint64_t boot = state().vm("web")->boot_id();
  done("guest-crash web");
  wait("another boot runs",
       [&] { return state().vm("web")->boot_id() != boot && executes("web", owner("web")); });
  EXPECT_TRUE(injector().list().empty()) << "nothing has to be undone";
  expect_whole();
}

TEST_F(InjectorStory, AStepThatFailsFailsOnce) {
  begin_with_vm();
  done("guest-fail node-2 step=prepare");
  wait_for_task(migrate("web", 2).task());
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  wait_for_task(migrate("web", 2).task());
  EXPECT_EQ(owner("web"), 2u);
  expect_whole();
}

TEST_F(InjectorStory, TakenMemoryIsMissingInSetup) {
  begin_with_vm();
  const FaultId pressure = done("memory-pressure node-2 bytes=4GiB");
  wait_for_task(migrate("web", 2).task());
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  injector().heal(pressure);
  wait_for_task(migrate("web", 2).task());
  EXPECT_EQ(owner("web"), 2u);
  expect_whole();
}

TEST_F(InjectorStory, AForgottenPageIsNoticed) {
  begin_with_vm();
  done("forget-page node-1");
  wait_for_task(migrate("web", 2, slow()).task());
  pass(5 * kSecond);
  expect_violation("S10");
}

TEST_F(InjectorStory, AGuestThatWritesFastNeedsMoreRounds) {
  begin_with_vm();
  pb::VmConfig large = small_vm();
  large.set_working_set_bytes(large.memory_bytes());
  run_vm("large", 1, large);
  wait_for_task(migrate("large", 2, slow()).task());
  pass(2 * kSecond);
  EXPECT_FALSE(last_job("large").statistics().forced_switch());
  const FaultId dirty = done("guest-dirty large rate=64MiB/s");
  pb::MigrationParameters few_rounds = slow();
  few_rounds.set_max_rounds(3);
  wait_for_task(migrate("large", 3, few_rounds).task());
  EXPECT_TRUE(last_job("large").statistics().forced_switch());
  injector().heal(dirty);
  expect_whole();
}

TEST_F(InjectorStory, NoClientReachesANodeThatIsCutFromThem) {
  begin_with_vm();
  const FaultId cut = done("api-cut node-2");
  EXPECT_FALSE(world().ask(2, pb::Request(), [](const pb::Reply&) {}));
  injector().heal(cut);
  EXPECT_TRUE(world().ask(2, pb::Request(), [](const pb::Reply&) {}));
  expect_whole();
}

TEST_F(InjectorStory, ACutOfTheDataAloneEndsTheMigrationAndNothingElse) {
  begin_with_vm();
  const TaskId task = migrate("web", 2, slow()).task();
  wait("it streams", [this] { return migration_state("web") == MigrationState::kDataTransfer; });
  done("link-cut node-1<->node-2 class=data for=5s");
  wait_for_task(task);
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  EXPECT_EQ(owner("web"), 1u);
  expect_whole();
}

}  // namespace
}  // namespace failsim::sim
