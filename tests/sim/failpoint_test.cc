// The named points of a migration: they are passed where they say, and faults placed there end in
// what the protocol promises.

#include "cluster/fault/failpoint.h"

#include <memory>

#include "tests/sim/story.h"
#include "tools/sim/injector.h"

namespace failsim::sim {
namespace {

class FailpointStory : public Story {
 protected:
  // The VM goes from a follower to another one, so that each side is a node of its own.
  void begin_with_vm(const pb::VmConfig& config = small_vm()) {
    begin();
    injector_ = std::make_unique<Injector>(world(), 5);
    leader_ = leader();
    source_ = node_beside({leader_});
    target_ = node_beside({leader_, source_});
    run_vm("web", source_, config);
  }
  // With these parameters it does not converge, and its pages follow for a while.
  static pb::VmConfig busy_vm() {
    pb::VmConfig config = small_vm();
    config.set_dirty_bytes_per_second(8 * kMebibyte);
    config.set_working_set_bytes(config.memory_bytes());
    return config;
  }
  static pb::MigrationParameters post_copy() {
    pb::MigrationParameters parameters;
    parameters.set_bandwidth_bytes_per_second(4 * kMebibyte);
    parameters.set_downtime_limit_ns(20 * kMillisecond);
    parameters.set_max_rounds(1);
    parameters.set_on_no_convergence(pb::NO_CONVERGENCE_POST_COPY);
    return parameters;
  }
  void arm(const std::string& point, const std::string& terms) {
    const auto order = fault::parse_order("failpoint " + point + " terms=" + terms + " for=30s");
    ASSERT_TRUE(order.ok()) << order.error().message;
    ASSERT_TRUE(injector_->inject(order.value()).ok());
  }
  std::uint64_t hits(const std::string& point) { return injector_->hits().at(point); }
  // Whatever happened, afterwards the VM works somewhere and no migration is in flight.
  void expect_settled() {
    pass(15 * kSecond);
    injector_->heal_all();
    wait("it is settled", [this] {
      for (const NodeId node : world().nodes()) {
        if (!world().is_running(node)) return false;
      }
      return leader() != kNoNode && state().vm("web")->job() == 0 && executes("web", owner("web"));
    });
    expect_alive("web", owner("web"));
  }

  std::unique_ptr<Injector> injector_;
  NodeId leader_ = kNoNode;
  NodeId source_ = kNoNode;
  NodeId target_ = kNoNode;
};

TEST_F(FailpointStory, AMigrationPassesItsPointsOnEachSide) {
  begin_with_vm();
  wait_for_task(migrate("web", target_).task());
  pass(kSecond);
  for (const char* side : {"leader", "source", "target"}) {
    for (const char* transition : {"setup", "transfer", "move", "complete"}) {
      for (const char* stage :
           {"on-receive", "before-persist", "after-persist", "before-send", "after-send"}) {
        const std::string point = std::string(side) + "." + transition + "." + std::string(stage);
        EXPECT_GE(hits(point), 1u) << point;
        if (std::string(side) == "leader") continue;
        EXPECT_EQ(hits(point), 1u) << point;
      }
    }
    EXPECT_EQ(hits(std::string(side) + ".cancel.before-persist"), 0u);
    EXPECT_EQ(hits(std::string(side) + ".fail.before-persist"), 0u);
  }
  for (const char* point :
       {"round.1.begin", "round.1.end", "blackout.begin", "blackout.end", "owner.flip"}) {
    EXPECT_EQ(hits(point), 1u) << point;
  }
}

TEST_F(FailpointStory, ACancelPassesItsOwnPoints) {
  begin_with_vm();
  migrate("web", target_, slow());
  wait("it streams", [this] { return migration_state("web") == MigrationState::kDataTransfer; });
  cancel("web");
  pass(kSecond);
  EXPECT_EQ(hits("source.cancel.after-persist"), 1u);
  EXPECT_EQ(hits("target.cancel.after-persist"), 1u);
  EXPECT_EQ(hits("leader.move.before-persist"), 0u);
}

TEST_F(FailpointStory, AKilledSourceBeforeMoveMeansAColdRestart) {
  begin_with_vm();
  const std::uint64_t boot = state().vm("web")->boot_id();
  arm("source.transfer.after-persist", "1*kill");
  migrate("web", target_, slow());
  wait("it is killed", [this] { return !world().is_running(source_); });
  ASSERT_EQ(injector_->list().size(), 2u) << "the point and the kill";
  expect_settled();
  EXPECT_NE(state().vm("web")->boot_id(), boot);
}

TEST_F(FailpointStory, ALeaderThatDiesAtTheFlipLeavesTheVmWithTheTarget) {
  begin_with_vm();
  const std::uint64_t boot = state().vm("web")->boot_id();
  arm("owner.flip", "1*kill");
  migrate("web", target_);
  wait("it is killed", [this] { return !world().is_running(leader_); });
  expect_settled();
  EXPECT_EQ(owner("web"), target_);
  EXPECT_EQ(state().vm("web")->boot_id(), boot) << "the image became the guest";
}

TEST_F(FailpointStory, ALeaderThatDiesBeforeItSendsTheCompletionLosesNothing) {
  begin_with_vm();
  const std::uint64_t boot = state().vm("web")->boot_id();
  arm("leader.complete.before-send", "1*power-off");
  migrate("web", target_);
  wait("it loses its power", [this] { return !world().is_running(leader_); });
  expect_settled();
  EXPECT_EQ(state().vm("web")->boot_id(), boot);
}

TEST_F(FailpointStory, ATargetWithoutMemoryRefusesInSetup) {
  begin_with_vm();
  arm("target.setup.before-persist", "1*return(NO_MEMORY)");
  wait_for_task(migrate("web", target_).task());
  EXPECT_EQ(migration_state("web"), MigrationState::kFailure);
  EXPECT_EQ(owner("web"), source_);
  wait_for_task(migrate("web", target_).task());
  EXPECT_EQ(owner("web"), target_) << "once";
}

TEST_F(FailpointStory, AWriteThatFailsAtAPointEndsTheProcess) {
  begin_with_vm();
  arm("target.move.before-persist", "1*return(EIO)");
  migrate("web", target_);
  wait("the process ends", [this] { return !world().is_running(target_); });
  world().start(target_);
  expect_settled();
}

TEST_F(FailpointStory, ALostMessageIsSentAgain) {
  begin_with_vm();
  arm("target.complete.on-receive", "2*return(DROP)");
  arm("leader.move.before-send", "1*return(DROP)");
  arm("source.move.before-send", "1*return(DROP)");
  wait_for_task(migrate("web", target_).task());
  EXPECT_EQ(owner("web"), target_);
  EXPECT_GE(hits("target.complete.on-receive"), 3u);
}

TEST_F(FailpointStory, ADelayHoldsTheLoopThatPassesThePoint) {
  begin_with_vm();
  arm("target.complete.on-receive", "1*delay(300ms)");
  wait_for_task(migrate("web", target_).task());
  pass(kSecond);
  EXPECT_EQ(owner("web"), target_);
  EXPECT_GE(last_job("web").statistics().downtime_ns(), 300 * kMillisecond);
}

TEST_F(FailpointStory, AFreezeAndACutEndByThemselves) {
  begin_with_vm();
  arm("source.move.after-send", "1*freeze(2s)");
  arm("blackout.end", "1*cut(1s)");
  migrate("web", target_);
  expect_settled();
  EXPECT_FALSE(world().network().has_cuts());
}

TEST_F(FailpointStory, ACancelAtTheEndOfTheFirstRoundWins) {
  begin_with_vm();
  arm("round.1.begin", "1*cancel");
  wait_for_task(migrate("web", target_, slow()).task());
  EXPECT_EQ(migration_state("web"), MigrationState::kCanceled);
  EXPECT_EQ(owner("web"), source_);
}

TEST_F(FailpointStory, AChainGoesOnToTheNextTerm) {
  begin_with_vm();
  arm("target.setup.on-receive", "1*off->1*return(NO_MEMORY)");
  wait_for_task(migrate("web", target_).task());
  EXPECT_EQ(owner("web"), target_);
  wait_for_task(migrate("web", source_).task());
  EXPECT_EQ(owner("web"), target_) << "the second time it is refused";
}

TEST_F(FailpointStory, ADisarmedPointDoesNothingAndStillCounts) {
  begin_with_vm();
  arm("owner.flip", "kill");
  injector_->heal_all();
  wait_for_task(migrate("web", target_).task());
  EXPECT_EQ(owner("web"), target_);
  EXPECT_EQ(hits("owner.flip"), 1u);
  EXPECT_TRUE(world().is_running(leader_));
}

TEST_F(FailpointStory, APostCopyPassesItsPointsOnEachSide) {
  begin_with_vm(busy_vm());
  wait_for_task(migrate("web", target_, post_copy()).task());
  pass(kSecond);
  for (const char* point :
       {"leader.pages.before-send", "source.pages.on-receive", "source.pages.after-persist",
        "target.pages.after-persist", "blackout.begin", "blackout.end", "owner.flip"}) {
    EXPECT_EQ(hits(point), 1u) << point;
  }
}

}  // namespace
}  // namespace failsim::sim
