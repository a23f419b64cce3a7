// Histories of a VM that changes hands: good ones pass, and for every rule a bad one is found.

#include <gtest/gtest.h>

#include "cluster/migration/handover_trace.h"

namespace failsim::invariants {
namespace {

using handover::Action;
using handover::kNobody;
using handover::kNoJob;
using handover::Process;
using handover::Step;

constexpr Process kSource{1, 100};
constexpr Process kTarget{2, 200};
constexpr Process kTargetAgain{2, 201};  // node 2, started again
constexpr Process kThird{3, 300};
constexpr Time kLease = 1000;
constexpr TaskId kJob = 7;

class HandoverStory : public testing::Test {
 protected:
  HandoverStory() {
    for (const Process& process : {kSource, kTarget, kTargetAgain, kThird}) {
      trace_.leased(process, kLease);
    }
    trace_.created("web", kSource, epoch(1));
    registers(kSource, 1);
    executes(kSource, 1);
  }

  static Epoch epoch(std::uint64_t counter) { return {1, counter}; }
  void at(Time now) { now_ = now; }

  void executes(const Process& process, std::uint64_t counter) {
    trace_.executes("web", process, epoch(counter), now_, now_ + kLease);
  }
  void stops(const Process& process) { trace_.stops("web", process, now_); }
  void dies(const Process& process) { trace_.gone(process, now_); }
  void registers(const Process& process, std::uint64_t counter) {
    takes(Step::kRegister, kNoJob, process, counter);
  }
  void writes(const Process& process, std::uint64_t counter) {
    takes(Step::kWrite, kNoJob, process, counter);
  }

  void starts_migration(TaskId job = kJob, const Process& target = kTarget) {
    takes(Step::kStartMigration, job, target);
  }
  void begins_transfer(TaskId job = kJob) { takes(Step::kBeginTransfer, job); }
  void begins_move(TaskId job = kJob) { takes(Step::kBeginMove, job); }
  void pauses(const Process& process = kSource) { takes(Step::kPause, kJob, process); }
  void holds_all() { takes(Step::kHoldAll, kJob, kTarget); }
  void completes(std::uint64_t counter = 2, const Process& owner = kTarget, TaskId job = kJob) {
    takes(Step::kComplete, job, owner, counter);
  }
  void holds_state() { takes(Step::kHoldState, kJob, kTarget); }
  void holds_pages(const Process& process = kTarget) { takes(Step::kHoldPages, kJob, process); }
  void completes_post_copy(std::uint64_t counter = 2, const Process& owner = kTarget) {
    takes(Step::kCompletePostCopy, kJob, owner, counter);
  }
  void pages_complete() { takes(Step::kPagesComplete, kJob); }
  void pages_are_given_up() { takes(Step::kGiveUpPages, kJob); }
  void finishes() { takes(Step::kFinish, kJob); }
  void cancels(TaskId job = kJob) { takes(Step::kCancel, job); }
  void aborts(MigrationState phase) {
    Action action;
    action.step = Step::kAbort;
    action.job = kJob;
    action.phase = phase;
    trace_.takes("web", action, now_);
  }
  void fails_over(std::uint64_t decided_on, std::uint64_t counter, const Process& owner = kTarget) {
    takes(Step::kFailOver, kNoJob, owner, counter, decided_on);
  }
  void is_taken_away(std::uint64_t decided_on, std::uint64_t counter) {
    takes(Step::kTakeAway, kNoJob, kTarget, counter, decided_on);
  }

  void comes_to_move() {
    starts_migration();
    begins_transfer();
    begins_move();
  }
  void comes_to_image() {
    comes_to_move();
    stops(kSource);
    pauses();
    holds_all();
  }
  // The guest runs at the target, its pages follow.
  void comes_to_post_copy() {
    comes_to_move();
    stops(kSource);
    pauses();
    holds_state();
    completes_post_copy();
    registers(kTarget, 2);
    executes(kTarget, 2);
  }
  void migrates() {
    comes_to_image();
    completes();
    registers(kTarget, 2);
    executes(kTarget, 2);
    finishes();
  }

  // So far everything was allowed.
  void expect_allowed() const {
    for (const Violation& violation : findings_.violations()) ADD_FAILURE() << violation.text;
  }
  // The last step was not, and nothing before it.
  void expect_only_the_last_refused() const {
    ASSERT_EQ(findings_.violations().size(), 1u);
    EXPECT_EQ(findings_.violations().front().label, "handover");
  }

  Findings findings_;
  HandoverTrace trace_{findings_};

 private:
  void takes(Step step, TaskId job, const Process& process = kNobody, std::uint64_t counter = 0,
             std::uint64_t decided_on = 0) {
    Action action;
    action.step = step;
    action.job = job;
    action.process = process;
    action.epoch = epoch(counter);
    action.decided_on = epoch(decided_on);
    trace_.takes("web", action, now_);
  }

  Time now_ = 0;
};

// ---- Histories as they should be ----------------------------------------------------------------

TEST_F(HandoverStory, AMigrationIsAllowed) {
  writes(kSource, 1);
  migrates();
  writes(kTarget, 2);
  expect_allowed();
}

TEST_F(HandoverStory, ASourceResumesAfterAnAbort) {
  comes_to_image();
  aborts(MigrationState::kMove);
  executes(kSource, 1);
  starts_migration(8, kThird);
  cancels(8);
  expect_allowed();
}

TEST_F(HandoverStory, AVmFailsOverWhenTheLeaseOfItsOwnerIsOver) {
  at(kLease);
  trace_.leased(kTarget, 2 * kLease);
  fails_over(1, 2);
  registers(kTarget, 2);
  executes(kTarget, 2);
  expect_allowed();
}

TEST_F(HandoverStory, AVmFailsOverAtOnceWhenItsOwnerIsDead) {
  dies(kSource);
  fails_over(1, 2);
  registers(kTarget, 2);
  executes(kTarget, 2);
  expect_allowed();
}

TEST_F(HandoverStory, AVmWhoseGuestFailedIsTakenFromItsLivingOwner) {
  stops(kSource);
  is_taken_away(1, 2);
  expect_allowed();
}

TEST_F(HandoverStory, WhatComesLateFromAnEndedJobSaysNothing) {
  comes_to_move();
  aborts(MigrationState::kMove);
  pauses();
  holds_all();
  executes(kSource, 1);
  stops(kTarget);
  expect_allowed();
}

TEST_F(HandoverStory, AFormerOwnerMayStillRegisterWhatItHad) {
  dies(kSource);
  fails_over(1, 2);
  dies(kTarget);
  fails_over(2, 3, kThird);
  registers(kTarget, 2);
  registers(kThird, 3);
  expect_allowed();
}

TEST_F(HandoverStory, AVmOfTheSameNameCountsOn) {
  stops(kSource);
  trace_.deleted("web", 0);
  trace_.created("web", kThird, epoch(9));
  registers(kThird, 9);
  executes(kThird, 9);
  expect_allowed();
}

// ---- Post-copy ----------------------------------------------------------------------------------

TEST_F(HandoverStory, APostCopyIsAllowed) {
  comes_to_post_copy();
  writes(kTarget, 2);
  holds_pages();
  pages_complete();
  finishes();
  starts_migration(8, kSource);
  expect_allowed();
}

TEST_F(HandoverStory, ATargetThatDiesInPostCopyIsAFailover) {
  comes_to_post_copy();
  dies(kTarget);
  fails_over(2, 3, kSource);
  registers(kSource, 3);
  executes(kSource, 3);
  expect_allowed();
}

TEST_F(HandoverStory, PagesThatAreGivenUpEndInARestart) {
  comes_to_post_copy();
  dies(kSource);
  pages_are_given_up();
  stops(kTarget);
  is_taken_away(2, 3);
  registers(kTarget, 3);
  executes(kTarget, 3);
  expect_allowed();
}

TEST_F(HandoverStory, AnAbortOfAMoveToPostCopyLeavesTheVmWithItsSource) {
  comes_to_move();
  stops(kSource);
  pauses();
  holds_state();
  aborts(MigrationState::kMove);
  executes(kSource, 1);
  expect_allowed();
}

TEST_F(HandoverStory, APostCopyWithoutTheStateIsFound) {
  comes_to_move();
  stops(kSource);
  pauses();
  completes_post_copy();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ACompletionWithoutPostCopyThatHasTheStateAloneIsFound) {
  comes_to_move();
  stops(kSource);
  pauses();
  holds_state();
  completes();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ASourceThatResumesInPostCopyIsFound) {
  comes_to_post_copy();
  stops(kTarget);
  executes(kSource, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnAbortInPostCopyIsFound) {
  comes_to_post_copy();
  aborts(MigrationState::kMove);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ACancelInPostCopyIsFound) {
  comes_to_post_copy();
  cancels();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, PagesThatAreCompleteBeforeTheLastHasComeAreFound) {
  comes_to_post_copy();
  pages_complete();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, PagesThatAreCompleteInAnotherProcessAreFound) {
  comes_to_post_copy();
  holds_pages(kTargetAgain);  // says nothing
  pages_complete();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AFinishWhilePagesFollowIsFound) {
  comes_to_post_copy();
  holds_pages();
  finishes();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, PagesThatAreGivenUpAfterTheyAreCompleteAreFound) {
  comes_to_post_copy();
  holds_pages();
  pages_complete();
  pages_are_given_up();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AGuestWhosePagesAreGivenUpAndThatIsTakenAwayWhileItExecutesIsFound) {
  comes_to_post_copy();
  pages_are_given_up();
  is_taken_away(2, 3);
  expect_only_the_last_refused();
}

// ---- Commands -----------------------------------------------------------------------------------

TEST_F(HandoverStory, ASecondMigrationOfAVmIsFound) {
  starts_migration();
  starts_migration(8, kThird);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AMigrationToTheOwnerItselfIsFound) {
  starts_migration(kJob, kSource);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ASkippedPhaseIsFound) {
  starts_migration();
  begins_move();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, APhaseOfAnotherJobIsFound) {
  starts_migration();
  begins_transfer(8);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnOwnerThatChangesBeforeTheTargetHoldsAllIsFound) {
  comes_to_move();
  stops(kSource);
  pauses();
  completes();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnOwnerThatChangesToAnotherIncarnationIsFound) {
  comes_to_image();
  completes(2, kTargetAgain);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ACompletionAfterTheAbortIsFound) {
  comes_to_image();
  aborts(MigrationState::kMove);
  completes();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ACompletionOfAnEarlierJobIsFound) {
  comes_to_image();
  completes(2, kTarget, 6);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnAbortAfterTheCompletionIsFound) {
  comes_to_image();
  completes();
  aborts(MigrationState::kMove);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ACompletionUnderTheSameEpochIsFound) {
  comes_to_image();
  completes(1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ACompletionThatIsFinishedBeforeTheTargetHasRegisteredIsFound) {
  comes_to_image();
  completes();
  finishes();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AFinishWithoutAMigrationIsFound) {
  finishes();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ACancelInMoveIsFound) {
  comes_to_move();
  cancels();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnAbortDecidedInAnEarlierPhaseIsFound) {
  comes_to_move();
  aborts(MigrationState::kDataTransfer);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AFailoverDecidedOnAnEarlierEpochIsFound) {
  dies(kSource);
  fails_over(1, 2);
  dies(kTarget);
  fails_over(1, 3, kThird);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AFailoverFromAnOwnerThatExecutesIsFound) {
  at(kLease - 1);
  fails_over(1, 2);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AFailoverFromAnOwnerWithALeaseIsFound) {
  stops(kSource);
  fails_over(1, 2);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AFailoverUnderTheSameEpochIsFound) {
  dies(kSource);
  fails_over(1, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AVmTakenFromALivingOwnerThatExecutesItIsFound) {
  is_taken_away(1, 2);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AVmTakenAwayUnderTheSameEpochIsFound) {
  stops(kSource);
  is_taken_away(1, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AVmTakenAwayOnAnEarlierDecisionIsFound) {
  dies(kSource);
  fails_over(1, 2);
  is_taken_away(1, 3);
  expect_only_the_last_refused();
}

// ---- Facts --------------------------------------------------------------------------------------

TEST_F(HandoverStory, ASourceThatReleasesWhileItExecutesIsFound) {
  comes_to_move();
  pauses();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, APauseByAnotherThanTheOwnerIsFound) {
  comes_to_move();
  stops(kSource);
  pauses(kThird);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnImageThatIsCompleteWhileTheSourceRunsIsFound) {
  comes_to_move();
  holds_all();
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ASourceThatResumesWithoutAnAbortIsFound) {
  comes_to_image();
  executes(kSource, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnExecutionUnderAnEpochThatIsNotRegisteredIsFound) {
  comes_to_image();
  completes();
  executes(kTarget, 2);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ATargetThatExecutesBeforeTheCompletionIsFound) {
  comes_to_image();
  executes(kTarget, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnotherIncarnationThatExecutesIsFound) {
  migrates();
  stops(kTarget);
  executes(kTargetAgain, 2);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnExecutionUnderAFormerEpochIsFound) {
  migrates();
  stops(kTarget);
  executes(kTarget, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, ASecondCopyIsFound) {
  executes(kThird, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnExecutionWithoutALeaseIsFound) {
  at(kLease);
  executes(kSource, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnEpochThatNobodyHasGrantedIsFound) {
  registers(kSource, 2);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AnEpochRegisteredByAnotherThanItsOwnerIsFound) {
  dies(kSource);
  fails_over(1, 2);
  registers(kThird, 2);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AVolumeThatGoesBackToAFormerEpochIsFound) {
  migrates();
  registers(kSource, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AVolumeThatTakesAWriteOfAFormerEpochIsFound) {
  migrates();
  writes(kSource, 1);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AVmThatIsDeletedWhileItExecutesIsFound) {
  trace_.deleted("web", 0);
  expect_only_the_last_refused();
}

// ---- Histories that nobody watched --------------------------------------------------------------

TEST_F(HandoverStory, AVmWithATraceIsExpected) {
  trace_.expect_trace("web", true);
  expect_allowed();
}

TEST_F(HandoverStory, AnEmptyTraceIsFound) {
  trace_.expect_trace("shop", false);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AVmThatRunsAndNeverBeganToIsFound) {
  trace_.created("shop", kSource, epoch(4));
  trace_.expect_trace("shop", true);
  expect_only_the_last_refused();
}

TEST_F(HandoverStory, AStepOfAVmThatNobodyCreatedIsFound) {
  trace_.executes("shop", kSource, epoch(1), 0, kLease);
  expect_only_the_last_refused();
}

}  // namespace
}  // namespace failsim::invariants
