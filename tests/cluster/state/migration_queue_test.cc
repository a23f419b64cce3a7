// Migrations that wait for their turn.

#include "cluster/state/migration_queue.h"

#include "cluster/state/control_code.h"
#include "tests/cluster/state/small_cluster.h"

namespace failsim {
namespace {

class Queue : public SmallCluster {
 protected:
  Queue() { limit(1); }
  void limit(int most) {
    ASSERT_EQ(
        set(ObjectKind::kCluster, "", "MaximumParallelMigrations", std::to_string(most)).code(),
        0u);
  }
  // A VM on `from` that is to go to `to`.
  TaskId send(const std::string& vm, NodeId from, NodeId to) {
    run_vm(vm, from, 50);
    const pb::Reply reply = migrate(vm, to);
    EXPECT_EQ(reply.code(), 0u) << reply.message();
    return reply.task();
  }
  bool waits(TaskId job) const { return job_state(job) == JobState::kNew; }
  std::uint64_t status_information(const std::string& vm) const {
    return state.property(ObjectKind::kGroup, vm, "StatusInformation").number();
  }
};

TEST_F(Queue, TheSecondMigrationOfANodeWaitsAndBeginsWhenTheFirstHasEnded) {
  const TaskId first = send("a", 1, 2);
  const TaskId second = send("b", 1, 3);
  EXPECT_EQ(job_state(first), JobState::kStarting);
  EXPECT_TRUE(waits(second));
  EXPECT_EQ(phase("b"), MigrationState::kNoMigration);
  EXPECT_EQ(status_information("b"), kWaitingInQueueForMove);
  EXPECT_EQ(status_information("a"), 0u);
  EXPECT_EQ(state.memory_in_use(3), 0u) << "who waits reserves nothing";
  ASSERT_TRUE(abort(first));
  EXPECT_EQ(job_state(second), JobState::kStarting);
  EXPECT_EQ(phase("b"), MigrationState::kSetup);
  EXPECT_EQ(status_information("b"), 0u);
  EXPECT_EQ(steps(second), std::vector<std::string>{"New -> Starting"});
  EXPECT_EQ(outcomes(second), std::vector<std::string>{"Start: Its turn has come."});
  EXPECT_TRUE(steps(first).empty()) << "who begins at once has never waited";
}

TEST_F(Queue, AControlCodeCancelsOnlyWhatHasBegun) {
  const TaskId first = send("a", 1, 2);
  const TaskId second = send("b", 1, 3);
  const auto code = [](const std::string& vm) {
    return control_request(ControlCode::kCancelMigration, vm, kNoNode, "");
  };
  const pb::Reply reply = ask(code("b"));
  EXPECT_EQ(static_cast<Code>(reply.code()), Code::kInvalidState);
  EXPECT_EQ(reply.message(), "The migration of VM 'b' waits for its turn and has not begun.");
  EXPECT_TRUE(waits(second));
  EXPECT_EQ(ask(code("a")).code(), 0u);
  EXPECT_EQ(job_state(first), JobState::kTerminated);
}

TEST_F(Queue, TheTargetNeedsASlotAsTheSourceDoes) {
  send("a", 1, 2);
  EXPECT_TRUE(waits(send("b", 3, 2)));
  EXPECT_TRUE(waits(send("c", 2, 3)));
  EXPECT_FALSE(waits(send("d", 3, 4)));
}

TEST_F(Queue, ASwapIsServedOneAfterTheOther) {
  const TaskId there = send("a", 1, 2);
  const TaskId back = send("b", 2, 1);
  EXPECT_TRUE(waits(back));
  ASSERT_TRUE(abort(there));
  EXPECT_FALSE(waits(back));
}

TEST_F(Queue, ABlockedOneLetsOthersPass) {
  send("a", 1, 2);
  const TaskId blocked = send("b", 1, 3);
  const TaskId free = send("c", 4, 5);
  EXPECT_TRUE(waits(blocked));
  EXPECT_FALSE(waits(free));
}

TEST_F(Queue, ThoseThatWaitBeginInTheOrderTheyWereAskedFor) {
  const TaskId first = send("a", 1, 2);
  const TaskId second = send("b", 1, 3);
  const TaskId third = send("c", 1, 3);
  ASSERT_TRUE(abort(first));
  EXPECT_FALSE(waits(second));
  EXPECT_TRUE(waits(third));
  ASSERT_TRUE(abort(second));
  EXPECT_FALSE(waits(third));
}

// Between two busy nodes both slots are never free at once, unless they are kept.
TEST_F(Queue, WhoIsSkippedTooOftenHasTheSlotsKept) {
  TaskId on_source = send("s0", 1, 3);
  const TaskId on_target = send("t0", 4, 2);
  const TaskId starving = send("web", 1, 2);
  ASSERT_TRUE(waits(starving));
  for (std::uint32_t i = 1; i <= kSkipsBeforeReserved; ++i) {
    const TaskId next = send("s" + std::to_string(i), 1, 3);
    ASSERT_TRUE(abort(on_source));
    ASSERT_FALSE(waits(next)) << i;
    ASSERT_TRUE(waits(starving));
    on_source = next;
  }
  const TaskId late = send("late", 1, 3);
  ASSERT_TRUE(abort(on_source));
  EXPECT_TRUE(waits(late)) << "the slot of node-1 is kept";
  EXPECT_TRUE(waits(starving));
  ASSERT_TRUE(abort(on_target));
  EXPECT_FALSE(waits(starving));
  EXPECT_TRUE(waits(late));
  ASSERT_TRUE(abort(starving));
  EXPECT_FALSE(waits(late));
}

TEST_F(Queue, AHigherLimitLetsThemBegin) {
  send("a", 1, 2);
  const TaskId second = send("b", 1, 2);
  ASSERT_TRUE(waits(second));
  limit(2);
  EXPECT_FALSE(waits(second));
  EXPECT_EQ(slots_taken(state, 1), 2u);
  limit(1);
  EXPECT_FALSE(waits(second)) << "who has begun goes on";
}

TEST_F(Queue, WhoWaitsCanBeCalledOff) {
  send("a", 1, 2);
  const TaskId canceled = send("b", 1, 3);
  const TaskId terminated = send("c", 1, 3);
  const TaskId killed = send("d", 1, 3);
  EXPECT_EQ(cancel("b").code(), 0u);
  EXPECT_EQ(request_state(terminated, RequestedState::kTerminate).return_value(), 0u);
  EXPECT_EQ(request_state(killed, RequestedState::kStart).return_value(), 32774u);
  EXPECT_EQ(request_state(killed, RequestedState::kSuspend).return_value(), 32775u);
  EXPECT_EQ(request_state(killed, RequestedState::kKill).return_value(), 0u);
  EXPECT_EQ(job_state(canceled), JobState::kTerminated);
  EXPECT_EQ(job_state(terminated), JobState::kTerminated);
  EXPECT_EQ(job_state(killed), JobState::kKilled);
  for (const TaskId job : {canceled, terminated, killed}) {
    EXPECT_TRUE(task(job).complete());
    EXPECT_EQ(task(job).result(), static_cast<std::uint32_t>(VMTaskResult::kCancelled));
  }
  EXPECT_EQ(phase("b"), MigrationState::kNoMigration) << "it had not begun";
  EXPECT_TRUE(state.waiting_jobs().empty());
}

TEST_F(Queue, AWaitingVmIsBusyForAnotherMigration) {
  send("a", 1, 2);
  send("b", 1, 3);
  EXPECT_EQ(static_cast<Code>(migrate("b", 4).code()), Code::kClusterBusy);
}

TEST_F(Queue, WhatHasChangedWhileItWaitedEndsItWhenItsTurnComes) {
  const TaskId first = send("a", 1, 2);
  const TaskId second = send("b", 1, 3);
  ASSERT_EQ(set(ObjectKind::kVm, "b", "ProcessorProfile", "4").code(), 0u);
  ASSERT_EQ(set(ObjectKind::kNode, "node-3", "ProcessorProfile", "2").code(), 0u);
  ASSERT_TRUE(abort(first));
  EXPECT_EQ(job_state(second), JobState::kException);
  EXPECT_EQ(phase("b"), MigrationState::kNoMigration) << "it has never begun";
  EXPECT_EQ(task(second).job().phase(), static_cast<std::uint32_t>(MigrationState::kFailure));
  EXPECT_EQ(reason("b"), "E_FAIL");
  EXPECT_NE(task(second).error_message().find("x86-64-v4"), std::string::npos);
}

TEST_F(Queue, ATargetThatDiesEndsThoseThatWaitForIt) {
  const TaskId first = send("a", 1, 2);
  const TaskId second = send("b", 3, 2);
  ASSERT_TRUE(waits(second));
  pb::Command command;
  command.mutable_node_down()->set_node(2);
  command.mutable_node_down()->set_incarnation(2);
  perform(command);
  EXPECT_TRUE(waits(second)) << "the slots are still taken";
  ASSERT_TRUE(abort(first));
  EXPECT_EQ(job_state(second), JobState::kException);
}

TEST_F(Queue, ADeletedVmWaitsNoMore) {
  send("a", 1, 2);
  const TaskId second = send("b", 1, 3);
  pb::Vm off = *state.vm("b");
  off.set_want(pb::GUEST_ABSENT);
  off.set_state(static_cast<std::uint32_t>(VmState::kTurnedOff));
  state.put(off);
  pb::Request request;
  request.mutable_delete_vm()->set_vm("b");
  ASSERT_EQ(ask(request).code(), 0u);
  EXPECT_EQ(job_state(second), JobState::kTerminated);
  EXPECT_TRUE(state.waiting_jobs().empty());
}

TEST_F(Queue, RowsTellWhoWaits) {
  send("a", 1, 2);
  const TaskId second = send("b", 1, 3);
  EXPECT_EQ(ClusterState::from_rows(state.rows()).waiting_jobs(), std::set<TaskId>{second});
}

TEST_F(Queue, PeopleAreToldWhy) {
  send("a", 1, 2);
  const TaskId second = send("b", 1, 3);
  EXPECT_EQ(why_it_waits(state, task(second)),
            "The migration of VM 'b' to node-3 waits: node-1 takes part in 1 of 1 migration "
            "(MaximumParallelMigrations).");
}

}  // namespace
}  // namespace failsim
