// The checkers of crashes and cuts can fail: each is shown a history that breaks its rule, and one
// that does not.

#include "cluster/crash_invariants.h"

#include "tests/cluster/findings_story.h"

namespace failsim::invariants {
namespace {

constexpr Duration kLease = 3 * kSecond;

// ---- S2 -----------------------------------------------------------------------------------------

class WithoutQuorum : public FindingsStory {
 protected:
  void SetUp() override {
    contact_.formed({1, 2, 3});
    contact_.lease_length(kLease);
    for (const NodeId node : {1u, 2u, 3u}) contact_.runs(node, true, 0, findings_);
  }
  void cut(NodeId from, NodeId to, Time now) { contact_.link(from, to, false, now, findings_); }
  void isolate(NodeId node, Time now) {
    for (const NodeId other : {1u, 2u, 3u}) {
      if (other != node) cut(node, other, now);
    }
  }

  QuorumContact contact_;
};

TEST_F(WithoutQuorum, AGuestMayFinishItsLease) {
  contact_.executes("web", 1, 4 * kSecond, findings_);
  isolate(1, 1 * kSecond);
  EXPECT_TRUE(clean());
  EXPECT_TRUE(was_tested("S2"));
}

TEST_F(WithoutQuorum, AGuestWithALongerLeaseIsFound) {
  contact_.executes("web", 1, 4 * kSecond + 1, findings_);
  isolate(1, 1 * kSecond);
  EXPECT_EQ(found("S2"), 1u);
}

TEST_F(WithoutQuorum, ALeaseThatIsRenewedIsFound) {
  isolate(1, 1 * kSecond);
  contact_.executes("web", 1, 4 * kSecond, findings_);
  EXPECT_TRUE(clean());
  contact_.executes("web", 1, 5 * kSecond, findings_);
  EXPECT_EQ(found("S2"), 1u);
}

TEST_F(WithoutQuorum, AMajorityThatIsReachedThroughOneNodeIsEnough) {
  cut(1, 3, 1 * kSecond);
  contact_.executes("web", 1, 60 * kSecond, findings_);
  EXPECT_TRUE(clean());
  EXPECT_FALSE(was_tested("S2"));
}

TEST_F(WithoutQuorum, DeadAndStoppedNodesAreNoMajority) {
  contact_.died(2, 1 * kSecond, findings_);
  contact_.runs(3, false, 2 * kSecond, findings_);
  contact_.executes("web", 1, 5 * kSecond, findings_);
  EXPECT_TRUE(clean()) << "counted from the loss of the majority, not of the first node";
  contact_.executes("web", 1, 6 * kSecond, findings_);
  EXPECT_EQ(found("S2"), 1u);
}

TEST_F(WithoutQuorum, ContactThatWasRegainedCountsAnew) {
  isolate(1, 1 * kSecond);
  contact_.link(1, 2, true, 2 * kSecond, findings_);
  cut(1, 2, 10 * kSecond);
  contact_.executes("web", 1, 13 * kSecond, findings_);
  EXPECT_TRUE(clean());
}

TEST_F(WithoutQuorum, AGuestThatStoppedIsNoGuest) {
  contact_.executes("web", 1, 60 * kSecond, findings_);
  contact_.stops("web", 1, 1 * kSecond);
  isolate(1, 2 * kSecond);
  EXPECT_TRUE(clean());
}

// ---- S8 -----------------------------------------------------------------------------------------

class ReopenedStore : public FindingsStory {
 protected:
  static Stores::Content content(Term term, Index index) {
    return Stores::Content{term, 1, index, term, static_cast<std::uint32_t>(index * 7)};
  }
  Stores stores_;
};

TEST_F(ReopenedStore, WhatWasSyncedOrMayHaveBeenIsGood) {
  stores_.opened(1, {}, findings_);
  stores_.given(1, 1, content(1, 1));
  stores_.given(1, 2, content(1, 2));
  stores_.given(1, 3, content(1, 3));
  stores_.synced(1, 2);
  stores_.opened(1, content(1, 3), findings_);
  EXPECT_TRUE(clean());
  stores_.opened(1, content(1, 3), findings_);
  EXPECT_TRUE(clean());
  EXPECT_TRUE(was_tested("S8"));
}

TEST_F(ReopenedStore, ASyncedBatchThatIsGoneIsFound) {
  stores_.opened(1, {}, findings_);
  stores_.given(1, 1, content(1, 1));
  stores_.given(1, 2, content(1, 2));
  stores_.synced(1, 2);
  stores_.opened(1, content(1, 1), findings_);
  EXPECT_EQ(found("S8"), 1u);
}

TEST_F(ReopenedStore, AStateThatNeverWasIsFound) {
  stores_.opened(1, {}, findings_);
  stores_.given(1, 1, content(1, 1));
  stores_.opened(1, content(2, 1), findings_);
  EXPECT_EQ(found("S8"), 1u);
}

// ---- L5 -----------------------------------------------------------------------------------------

class LostNode : public FindingsStory {
 protected:
  void SetUp() override {
    failovers_.formed({1, 2, 3});
    failovers_.detection_time(kLease);
    for (const NodeId node : {1u, 2u, 3u}) {
      failovers_.process_started(node);
      failovers_.memory(node, 1000);
    }
    vm_.set_name("web");
    vm_.set_want(pb::GUEST_RUNNING);
    vm_.mutable_config()->set_memory_bytes(100);
    failovers_.vm_row(vm_);
    failovers_.executes("web", 1, kNever, findings_);
  }
  void kill(NodeId node, Time now) { failovers_.process_ended(node, now); }

  Failovers failovers_;
  pb::Vm vm_;
};

TEST_F(LostNode, ItsVmsExecuteElsewhereInTime) {
  kill(1, 1 * kSecond);
  failovers_.time_passes(10 * kSecond, findings_);
  failovers_.executes("web", 2, kNever, findings_);
  failovers_.time_passes(1000 * kSecond, findings_);
  EXPECT_TRUE(clean());
  EXPECT_TRUE(was_tested("L5"));
}

TEST_F(LostNode, AVmThatNobodyExecutesIsFoundOnce) {
  kill(1, 1 * kSecond);
  failovers_.time_passes(17 * kSecond, findings_);
  EXPECT_TRUE(clean());
  failovers_.time_passes(18 * kSecond, findings_);
  failovers_.time_passes(1000 * kSecond, findings_);
  EXPECT_EQ(found("L5"), 1u);
}

TEST_F(LostNode, OtherTroubleExcusesIt) {
  failovers_.fault_begins(1, {2});
  kill(1, 1 * kSecond);
  failovers_.time_passes(1000 * kSecond, findings_);
  EXPECT_TRUE(clean());
  EXPECT_FALSE(was_tested("L5"));
}

TEST_F(LostNode, TroubleThatComesLaterExcusesItToo) {
  kill(1, 1 * kSecond);
  failovers_.link(2, 3, false);
  failovers_.time_passes(1000 * kSecond, findings_);
  EXPECT_TRUE(clean());
}

TEST_F(LostNode, ItsOwnFaultDoesNotExcuseIt) {
  failovers_.fault_begins(1, {1});
  kill(1, 1 * kSecond);
  failovers_.time_passes(1000 * kSecond, findings_);
  EXPECT_EQ(found("L5"), 1u);
}

TEST_F(LostNode, AnOperatorWhoTurnsTheVmOffEndsTheMeasurement) {
  kill(1, 1 * kSecond);
  vm_.set_want(pb::GUEST_ABSENT);
  failovers_.vm_row(vm_);
  failovers_.time_passes(1000 * kSecond, findings_);
  EXPECT_TRUE(clean());
}

TEST_F(LostNode, AVmThatFitsNowhereMayWait) {
  vm_.mutable_config()->set_memory_bytes(1001);
  failovers_.vm_row(vm_);
  kill(1, 1 * kSecond);
  failovers_.time_passes(1000 * kSecond, findings_);
  EXPECT_TRUE(clean());
}

}  // namespace
}  // namespace failsim::invariants
