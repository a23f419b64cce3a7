// A cancel while nobody can order it: what is said of it, what the source does meanwhile, and who
// wins when there is a leader again.

#include <gtest/gtest.h>

#include "cluster/member/cancel_to_keep.h"
#include "cluster/migration/job.h"
#include "tests/cluster/member/member_cluster.h"

namespace failsim {
namespace {

constexpr NodeId kSource = 1;
constexpr NodeId kTarget = 2;
const std::vector<NodeId> kMajority = {3, 4, 5};

// Five nodes: without three of them source and target hear each other and have no quorum. A node is
// Down after 10 s only, so that leases outlast the stories.
class CancelWithoutLeader : public testing::Test {
 protected:
  CancelWithoutLeader() {
    cluster.set("cluster", "", "SameSubnetThreshold", Value::dword(40));
    cluster.create_vm("web", kSource);
    cluster.run_until([&] { return cluster.vm_state("web") == VmState::kRunning; });
    cluster.run_for(kSecond);  // leases of the new length
    job = cluster.migrate("web", kTarget)->task();
    cluster.run_for(50 * kMillisecond);
  }

  void begin_to_send() {
    cluster.report(kTarget, "web", pb::TRANSFER_READY);
    cluster.run_for(50 * kMillisecond);
    cluster.report(kSource, "web", pb::TRANSFER_STREAMING);
    cluster.run_for(50 * kMillisecond);
    ASSERT_EQ(phase(), MigrationState::kDataTransfer);
  }
  void lose_the_majority() {
    for (const NodeId node : kMajority) cluster.kill(node);
    for (const NodeId node : {kSource, kTarget}) {
      ASSERT_TRUE(cluster.run_until([&] { return cluster.member(node).leader() == kNoNode; }));
    }
  }
  void bring_the_majority_back() {
    for (const NodeId node : kMajority) cluster.restart(node);
  }

  pb::Request cancel_of_vm() const {
    pb::Request request;
    request.mutable_cancel_migration()->set_vm("web");
    return request;
  }
  std::optional<pb::Reply> cancel_at(NodeId node) { return cluster.ask(node, cancel_of_vm()); }
  const pb::Task& task() { return *cluster.state().task(job); }
  MigrationState phase() { return cluster.state().migration_state("web"); }
  const TransferOrder& source_order() {
    return cluster.transfers(kSource, "web").at(TransferRole::kSource);
  }
  bool is_held() {
    return source_order().stage == TransferStage::kStream && source_order().is_suspended;
  }

  MemberCluster cluster{5};
  TaskId job = 0;
};

TEST_F(CancelWithoutLeader, IsAcceptedNotOrderedAndTheSourceSendsNothing) {
  begin_to_send();
  lose_the_majority();
  EXPECT_FALSE(is_held());
  const Time asked = cluster.now();
  const auto reply = cancel_at(kSource);
  ASSERT_TRUE(reply.has_value());
  EXPECT_LE(cluster.now() - asked, kElectionPatience + 20 * kMillisecond);
  EXPECT_EQ(static_cast<Code>(reply->code()), Code::kIoPending);
  EXPECT_EQ(reply->task(), job);
  EXPECT_NE(reply->message().find("not ordered yet, because node-1 finds no leader"),
            std::string::npos)
      << reply->message();
  EXPECT_TRUE(is_held());
  EXPECT_TRUE(cluster.executes(kSource, "web"));
  EXPECT_EQ(phase(), MigrationState::kDataTransfer) << "nothing is decided";

  bring_the_majority_back();
  ASSERT_TRUE(cluster.run_until([&] { return phase() == MigrationState::kCanceled; }));
  cluster.run_for(50 * kMillisecond);
  EXPECT_EQ(source_order().stage, TransferStage::kDrop);
  EXPECT_TRUE(cluster.executes(kSource, "web"));
}

TEST_F(CancelWithoutLeader, AskedOfAnotherNodeReachesTheSourceWhichKeepsItToo) {
  begin_to_send();
  lose_the_majority();
  const auto reply = cancel_at(kTarget);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(static_cast<Code>(reply->code()), Code::kIoPending);
  EXPECT_TRUE(is_held());
  EXPECT_TRUE(cluster.executes(kSource, "web"));

  cluster.kill(kTarget);  // what it kept is lost with it
  bring_the_majority_back();
  ASSERT_TRUE(cluster.run_until([&] { return task().complete(); }));
  EXPECT_EQ(phase(), MigrationState::kCanceled);
}

TEST_F(CancelWithoutLeader, InSetupTheSourceBeginsNothing) {
  lose_the_majority();
  ASSERT_EQ(static_cast<Code>(cancel_at(kSource)->code()), Code::kIoPending);
  bring_the_majority_back();
  ASSERT_TRUE(cluster.run_until([&] { return task().complete(); }));
  EXPECT_EQ(phase(), MigrationState::kCanceled);
  EXPECT_TRUE(cluster.transfers(kSource, "web").empty());
}

TEST_F(CancelWithoutLeader, IsOrderedAsTheStateChangeThatItIs) {
  begin_to_send();
  lose_the_majority();
  pb::Request request;
  request.mutable_request_state_change()->set_job(job);
  request.mutable_request_state_change()->set_requested_state(
      static_cast<std::uint32_t>(RequestedState::kKill));
  const auto reply = cluster.ask(kSource, request);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->return_value(), 4096u);
  EXPECT_EQ(reply->job_state(), static_cast<std::uint32_t>(JobState::kRunning));
  bring_the_majority_back();
  ASSERT_TRUE(cluster.run_until([&] { return task().complete(); }));
  EXPECT_EQ(task().job().job_state(), static_cast<std::uint32_t>(JobState::kKilled));
}

TEST_F(CancelWithoutLeader, RepeatedUnderItsIdGetsTheFinalAnswer) {
  begin_to_send();
  lose_the_majority();
  pb::Request request = cancel_of_vm();
  request.set_client("user");
  request.set_sequence(1);
  ASSERT_EQ(static_cast<Code>(cluster.ask(kSource, request)->code()), Code::kIoPending);
  bring_the_majority_back();
  ASSERT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode; }));
  const auto again = cluster.ask(kTarget, request);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->code(), 0u) << again->message();
  EXPECT_EQ(again->task(), job);
  EXPECT_EQ(phase(), MigrationState::kCanceled);
}

TEST_F(CancelWithoutLeader, IsForItsJobAndForNoLaterOne) {
  begin_to_send();
  cluster.cut(kSource, 3);
  cluster.cut(kSource, 4);
  cluster.cut(kSource, 5);
  cluster.cut(kSource, kTarget);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.member(kSource).leader() == kNoNode; }));
  ASSERT_EQ(static_cast<Code>(cancel_at(kSource)->code()), Code::kIoPending);
  // The others end that job, and begin the next one, before the source is back.
  ASSERT_TRUE(cluster.run_until([&] { return cluster.leader() > kSource; }));
  EXPECT_EQ(cluster.ask(cluster.leader(), cancel_of_vm())->code(), 0u);
  const TaskId next = cluster.migrate("web", kTarget)->task();
  ASSERT_NE(next, job);
  cluster.heal();
  cluster.run_for(2 * kSecond);
  EXPECT_EQ(phase(), MigrationState::kSetup);
  EXPECT_FALSE(cluster.state().task(next)->complete());
}

TEST_F(CancelWithoutLeader, DoesNotUndoAMoveThatWasAgreed) {
  begin_to_send();
  // The source says that it wants to switch, and hears no more.
  const NodeId before = cluster.leader();
  ASSERT_NE(before, kSource);
  for (const NodeId other : {kTarget, NodeId{3}, NodeId{4}, NodeId{5}}) {
    cluster.cut_one_way(other, kSource);
  }
  cluster.report(kSource, "web", pb::TRANSFER_CONVERGED);
  ASSERT_TRUE(cluster.run_until([&] { return phase() == MigrationState::kMove; }));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.member(kSource).leader() == kNoNode; }));
  ASSERT_EQ(static_cast<Code>(cancel_at(kSource)->code()), Code::kIoPending);
  EXPECT_TRUE(is_held());

  cluster.heal();
  ASSERT_TRUE(cluster.run_until([&] { return source_order().stage == TransferStage::kFinish; }));
  EXPECT_FALSE(source_order().is_suspended);
  cluster.report(kTarget, "web", pb::TRANSFER_HOLDS_ALL);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state().vm("web")->owner() == kTarget; }));
  cluster.report(kTarget, "web", pb::TRANSFER_RESUMED);
  ASSERT_TRUE(cluster.run_until([&] { return task().complete(); }));
  EXPECT_EQ(task().result(), 0u);
}

TEST_F(CancelWithoutLeader, IsGivenUpAfterAMinuteAndTheMigrationGoesOn) {
  begin_to_send();
  lose_the_majority();
  ASSERT_EQ(static_cast<Code>(cancel_at(kSource)->code()), Code::kIoPending);
  cluster.run_for(kCancelKept - kSecond);
  EXPECT_TRUE(is_held());
  cluster.run_for(kSecond);
  EXPECT_FALSE(is_held());
  EXPECT_EQ(source_order().stage, TransferStage::kStream);
  bring_the_majority_back();
  ASSERT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode; }));
  cluster.run_for(kSecond);
  EXPECT_FALSE(task().complete());
}

TEST_F(CancelWithoutLeader, OfNoMigrationWaitsForALeaderAsAnyRequest) {
  ASSERT_EQ(cluster.ask(cluster.leader(), cancel_of_vm())->code(), 0u);
  lose_the_majority();
  EXPECT_FALSE(cancel_at(kSource).has_value()) << "not within ten seconds";
}

}  // namespace
}  // namespace failsim
