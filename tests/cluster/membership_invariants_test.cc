// The checkers of membership can fail: each is shown a history that breaks its rule, and one that
// does not.

#include "cluster/membership_invariants.h"

#include "tests/cluster/findings_story.h"

namespace failsim::invariants {
namespace {

// ---- S17 ----------------------------------------------------------------------------------------

class GivenAway : public FindingsStory {
 protected:
  Placements placements_;
};

TEST_F(GivenAway, ANodeThatIsUpMayHaveAVm) {
  placements_.node_state(2, pb::NODE_UP);
  placements_.given("web", 2, "created", findings_);
  EXPECT_TRUE(clean());
  EXPECT_TRUE(was_tested("S17"));
}

TEST_F(GivenAway, ANodeThatNeverJoinedIsFound) {
  placements_.given("web", 3, "created", findings_);
  EXPECT_EQ(found("S17"), 1u);
}

TEST_F(GivenAway, ANodeThatIsDownOrPausedIsFound) {
  placements_.node_state(2, pb::NODE_UP);
  placements_.node_state(2, pb::NODE_DOWN);
  placements_.given("web", 2, "its owner is gone", findings_);
  EXPECT_EQ(found("S17"), 1u);
  placements_.node_state(2, pb::NODE_PAUSED);
  placements_.given("web", 2, "its owner is gone", findings_);
  EXPECT_EQ(found("S17"), 2u);
}

// ---- S19 ----------------------------------------------------------------------------------------

// Five nodes, a detection time of a second.
class Silence : public FindingsStory {
 protected:
  void SetUp() override {
    silences_.formed(5);
    silences_.detection_time(1, 1 * kSecond);
  }
  void missed_by(NodeId node, NodeId of, Time since, Time until) {
    silences_.unheard(node, of, since, until);
  }

  Silences silences_;
};

TEST_F(Silence, ANodeThatAQuorumHasNotHeardMayBeCalledSilent) {
  for (const NodeId node : {1u, 2u, 3u}) missed_by(node, 5, 10 * kSecond, 12 * kSecond);
  silences_.called_down(1, 5, 12 * kSecond, findings_);
  EXPECT_TRUE(clean());
  EXPECT_TRUE(was_tested("S19"));
}

TEST_F(Silence, ANodeThatOnlyTheLeaderDoesNotHearIsNotDown) {
  missed_by(1, 5, 10 * kSecond, 12 * kSecond);
  silences_.called_down(1, 5, 12 * kSecond, findings_);
  EXPECT_EQ(found("S19"), 1u);
}

TEST_F(Silence, ASilenceOfLongAgoIsNoReason) {
  missed_by(1, 5, 10 * kSecond, 12 * kSecond);
  for (const NodeId node : {2u, 3u}) missed_by(node, 5, 1 * kSecond, 3 * kSecond);
  silences_.called_down(1, 5, 12 * kSecond, findings_);
  EXPECT_EQ(found("S19"), 1u);
}

TEST_F(Silence, NewsThatTheLeaderHasNotHadForLongMayBeOld) {
  missed_by(1, 5, 10 * kSecond, 12 * kSecond);
  for (const NodeId node : {2u, 3u}) {
    missed_by(node, 5, 1 * kSecond, 3 * kSecond);
    missed_by(1, node, 4 * kSecond, 11 * kSecond);  // the leader hears them again only now
  }
  silences_.called_down(1, 5, 12 * kSecond, findings_);
  EXPECT_TRUE(clean());
}

TEST_F(Silence, OfANodeWithAnotherStoreNothingIsAsked) {
  silences_.replaced(5);
  silences_.called_down(1, 5, 12 * kSecond, findings_);
  EXPECT_TRUE(clean());
  EXPECT_FALSE(was_tested("S19"));
}

TEST_F(Silence, GapsThatTouchAreOne) {
  for (const NodeId node : {1u, 2u, 3u}) {
    missed_by(node, 5, 1 * kSecond, 11 * kSecond);
    missed_by(node, 5, 10 * kSecond, 12 * kSecond);
  }
  silences_.called_down(1, 5, 14 * kSecond, findings_);
  EXPECT_TRUE(clean());
}

TEST_F(FindingsStory, AFormerProcessThatComesBackIsFound) {
  Incarnations incarnations;
  pb::Node node;
  node.set_id(2);
  node.set_incarnation(7);
  incarnations.node_row(1, node, findings_);
  node.set_incarnation(9);
  incarnations.node_row(1, node, findings_);
  EXPECT_TRUE(clean());
  node.set_incarnation(7);
  incarnations.node_row(3, node, findings_);
  EXPECT_TRUE(clean()) << "another replica may be behind";
  incarnations.node_row(1, node, findings_);
  EXPECT_EQ(found("S19"), 1u);
  incarnations.restarted(1);
  incarnations.node_row(1, node, findings_);
  EXPECT_EQ(found("S19"), 1u);
}

// ---- L7 -----------------------------------------------------------------------------------------

class Calm : public FindingsStory {
 protected:
  Settling settling_;
};

TEST_F(Calm, ElectionsSoonAfterTheFaultsAreFine) {
  settling_.leads(1, 3, 5 * kSecond, findings_);
  EXPECT_FALSE(was_tested("L7"));
  settling_.faults_ended(10 * kSecond, findings_);
  settling_.leads(2, 4, 12 * kSecond, findings_);
  EXPECT_TRUE(was_tested("L7"));
  EXPECT_TRUE(clean());
}

TEST_F(Calm, ElectionsThatGoOnAreFound) {
  settling_.faults_ended(10 * kSecond, findings_);
  settling_.leads(2, 40, 25 * kSecond, findings_);
  EXPECT_EQ(found("L7"), 1u);
}

TEST_F(Calm, AnotherFaultBeginsAnew) {
  settling_.faults_ended(10 * kSecond, findings_);
  settling_.fault_begins();
  settling_.leads(2, 40, 25 * kSecond, findings_);
  EXPECT_TRUE(clean());
}

}  // namespace
}  // namespace failsim::invariants
