#include "cluster/failover/guest_watch.h"

#include "tests/cluster/failover/leader_story.h"

namespace failsim {
namespace {

// The VM "web" of node-2 is being started, by its creator.
class GuestWatchStory : public LeaderStory {
 protected:
  GuestWatchStory() {
    create_vm("web", 2);
    watch.elected(index);
  }
  std::map<std::string, pb::Command> decide() {
    return proposals([&](Decision& decision) { watch.decide(decision, web()); });
  }
  const pb::Vm& web() const { return *state.vm("web"); }
  bool report(pb::GuestCondition condition, NodeId from = 2, std::uint64_t start = 1) {
    return report_as_of(index, condition, from, start);
  }
  bool report_as_of(Index applied, pb::GuestCondition condition, NodeId from = 2,
                    std::uint64_t start = 1) {
    pb::PeerMessage::Report::Guest guest;
    guest.set_vm("web");
    *guest.mutable_epoch() = web().epoch();
    guest.set_boot_id(web().boot_id());
    guest.set_condition(condition);
    guest.set_error("no luck");
    return watch.report(from, process(from, start), guest, applied);
  }

  GuestWatch watch;
};

TEST_F(GuestWatchStory, AnOperationGoesOnWhenItsGuestIsSo) {
  report(pb::CONDITION_STARTING);
  EXPECT_TRUE(decide().empty());
  report(pb::CONDITION_RUNNING);
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands.at("step/web").vm_step().boot_id(), web().boot_id());
}

TEST_F(GuestWatchStory, WhatAnotherNodeOrProcessSaysChangesNothing) {
  report(pb::CONDITION_RUNNING, 3);
  EXPECT_TRUE(decide().empty());
  report(pb::CONDITION_RUNNING, 2, 2);
  EXPECT_TRUE(decide().empty());
}

TEST_F(GuestWatchStory, WhatWasSaidOfAFormerRowIsForgotten) {
  report(pb::CONDITION_RUNNING);
  watch.vm_changed("web", ++index, true);
  EXPECT_TRUE(decide().empty());
}

TEST_F(GuestWatchStory, AFailureOfWhomDoesNotKnowTheRowDoesNotCount) {
  const Index before = index;
  watch.vm_changed("web", ++index, true);
  EXPECT_FALSE(report_as_of(before, pb::CONDITION_FAILED));
  EXPECT_TRUE(report_as_of(before, pb::CONDITION_RUNNING));
  EXPECT_TRUE(report(pb::CONDITION_FAILED));
}

TEST_F(GuestWatchStory, AFailureEndsTheOperationOfAUser) {
  report(pb::CONDITION_FAILED);
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands.at("step/web").vm_step_failed().message(), "no luck");
}

TEST_F(GuestWatchStory, AGuestThatFailsByItselfIsStartedElsewhereAfterADetectionTime) {
  settle("web");
  report(pb::CONDITION_FAILED);
  EXPECT_TRUE(decide().empty());
  std::set<std::string> waiting;
  watch.add_waiting(waiting);
  EXPECT_EQ(waiting, std::set<std::string>{"web"});
  now += detection;
  const auto commands = decide();
  ASSERT_EQ(commands.size(), 1u);
  const pb::Command::Failover& failover = commands.at("failover/web").failover();
  ASSERT_EQ(failover.assignments().size(), 1);
  EXPECT_EQ(failover.assignments(0).to(), 1u);
  EXPECT_EQ(failover.assignments(0).boot_id(), web().boot_id());
  EXPECT_EQ(failover.reason(), "no luck");
}

TEST_F(GuestWatchStory, NothingIsDecidedForAGuestWhoseOwnerIsDown) {
  settle("web");
  report(pb::CONDITION_IMAGE_LOST);
  take_down(2, false);
  EXPECT_TRUE(decide().empty());
}

}  // namespace
}  // namespace failsim
