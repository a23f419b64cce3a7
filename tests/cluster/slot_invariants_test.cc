// The checker of MaximumParallelMigrations can fail: it is shown histories that exceed it, and
// ones that do not.
#include "cluster/slot_invariants.h"

#include "tests/cluster/findings_story.h"

namespace failsim::invariants {
namespace {

class SlotStory : public FindingsStory {
 protected:
  void row(TaskId job, NodeId source, NodeId target) {
    pb::Task task;
    task.set_id(job);
    task.mutable_job()->set_attempt(10 + job);
    task.mutable_job()->set_source(source);
    task.mutable_job()->set_target(target);
    slots_.row(task, findings_);
  }
  void begins(TaskId job, NodeId source, NodeId target) {
    slots_.begins(job, findings_);
    row(job, source, target);
  }

  Slots slots_;
};

TEST_F(SlotStory, AsManyAsAreAllowedMayRun) {
  slots_.limit(2);
  begins(1, 1, 2);
  begins(2, 1, 3);
  begins(3, 2, 3);
  EXPECT_TRUE(clean());
  EXPECT_TRUE(was_tested("slots"));
}

TEST_F(SlotStory, OneTooManyAtASourceIsFound) {
  slots_.limit(1);
  begins(1, 1, 2);
  begins(2, 1, 3);
  EXPECT_EQ(found("slots"), 1u);
}

TEST_F(SlotStory, OneTooManyAtATargetIsFound) {
  slots_.limit(1);
  begins(1, 1, 2);
  begins(2, 3, 2);
  EXPECT_EQ(found("slots"), 1u);
}

TEST_F(SlotStory, WhoHasEndedHasGivenItsSlotsBack) {
  slots_.limit(1);
  begins(1, 1, 2);
  slots_.ended(1);
  begins(2, 2, 1);
  EXPECT_TRUE(clean());
}

TEST_F(SlotStory, ALowerLimitEndsNoneButLetsNobodyBegin) {
  slots_.limit(3);
  begins(1, 1, 2);
  begins(2, 1, 2);
  slots_.limit(1);
  EXPECT_TRUE(clean());
  begins(3, 1, 3);
  EXPECT_EQ(found("slots"), 1u);
}

TEST_F(SlotStory, TheLimitIsThatOfTheBeginningHoweverLateItsRowComes) {
  slots_.limit(2);
  slots_.begins(1, findings_);
  slots_.begins(2, findings_);
  slots_.limit(1);
  row(2, 1, 2);
  EXPECT_FALSE(was_tested("slots")) << "where the other one goes is not known";
  row(1, 1, 3);
  EXPECT_TRUE(was_tested("slots"));
  EXPECT_TRUE(clean());
}

TEST_F(SlotStory, WhoWaitsTakesNoSlot) {
  slots_.limit(1);
  begins(1, 1, 2);
  pb::Task waiting;
  waiting.set_id(2);
  waiting.mutable_job()->set_source(1);
  waiting.mutable_job()->set_target(2);
  slots_.row(waiting, findings_);
  slots_.ended(1);
  // Its VM has failed over meanwhile.
  begins(3, 2, 1);
  begins(2, 3, 4);
  EXPECT_TRUE(clean());
}

TEST_F(SlotStory, NothingIsJudgedByALimitThatNobodyTold) {
  begins(1, 1, 2);
  begins(2, 1, 2);
  EXPECT_TRUE(clean());
  EXPECT_FALSE(was_tested("slots"));
}

}  // namespace
}  // namespace failsim::invariants
