// A live migration as the members see it: the table of docs/design.md, row by row.

#include <gtest/gtest.h>

#include "cluster/migration/post_copy.h"
#include "cluster/vm/task_result.h"
#include "tests/cluster/member/member_cluster.h"

namespace failsim {
namespace {

using Names = std::vector<std::string>;

class MigrationStory : public testing::Test {
 protected:
  MigrationStory() {
    cluster.create_vm("web", 1);
    cluster.run_until([&] { return cluster.vm_state("web") == VmState::kRunning; });
    const auto reply = cluster.migrate("web", 2);
    EXPECT_TRUE(reply.has_value());
    EXPECT_EQ(reply->code(), 0u) << reply->message();
    job = reply->task();
  }

  void target_ready() {
    cluster.run_for(50 * kMillisecond);
    cluster.report(2, "web", pb::TRANSFER_READY);
    cluster.run_for(50 * kMillisecond);
  }
  void source_converges() {
    cluster.report(1, "web", pb::TRANSFER_CONVERGED);
    cluster.run_for(50 * kMillisecond);
  }
  void source_wants_post_copy() {
    TransferReport converged{
        "web", job, task().job().attempt(), pb::TRANSFER_CONVERGED, 0, "", {}, {}, true};
    cluster.report(1, converged);
    cluster.run_for(50 * kMillisecond);
  }
  // The guest runs at the target, and pages follow.
  void come_to_post_copy() {
    target_ready();
    source_wants_post_copy();
    cluster.report(1, "web", pb::TRANSFER_RELEASED);
    cluster.report(2, "web", pb::TRANSFER_HOLDS_STATE);
    cluster.run_for(50 * kMillisecond);
    cluster.report(2, "web", pb::TRANSFER_RESUMED);
    cluster.run_for(50 * kMillisecond);
  }
  bool pages_follow() { return failsim::pages_follow(*cluster.state().vm("web"), task()); }
  // The target has lost its guest because pages will not come, as its world is ordered.
  void target_loses_guest() {
    const TransferOrder& order = cluster.transfers(2, "web").at(TransferRole::kTarget);
    EXPECT_EQ(order.stage, TransferStage::kDrop);
    EXPECT_TRUE(order.post_copy);
    const GuestOrder guest = cluster.guests(2).at("web").order;
    cluster.report(2, GuestReport{"web", guest.epoch, guest.boot_id, pb::CONDITION_IMAGE_LOST, 2,
                                  "Pages are missing."});
  }
  void target_holds_all() {
    cluster.report(1, "web", pb::TRANSFER_RELEASED);
    cluster.report(2, "web", pb::TRANSFER_HOLDS_ALL);
    cluster.run_for(50 * kMillisecond);
  }
  MigrationState phase() { return cluster.state().migration_state("web"); }
  const pb::Task& task() { return *cluster.state().task(job); }
  NodeId source_of_job() { return task().job().source(); }
  TransferStage source_stage() {
    return cluster.transfers(1, "web").at(TransferRole::kSource).stage;
  }

  MemberCluster cluster{3};
  TaskId job = 0;
};

TEST_F(MigrationStory, ACanceledOneTellsHowMuchItHadSent) {
  target_ready();
  TransferReport report;
  report.vm = "web";
  report.job = job;
  report.attempt = task().job().attempt();
  report.status = pb::TRANSFER_STREAMING;
  report.statistics.set_rounds(2);
  report.statistics.set_bytes_sent(123'456);
  cluster.report(1, report);
  cluster.run_for(500 * kMillisecond);  // it is said with a heartbeat, not at once
  ASSERT_EQ(cluster.cancel("web")->code(), 0u);
  EXPECT_EQ(phase(), MigrationState::kCanceled);
  EXPECT_EQ(task().job().statistics().rounds(), 2u);
  EXPECT_EQ(task().job().statistics().bytes_sent(), 123'456u);
}

TEST_F(MigrationStory, GoesThroughSetupDataTransferAndMove) {
  EXPECT_EQ(phase(), MigrationState::kSetup);
  target_ready();
  EXPECT_EQ(phase(), MigrationState::kDataTransfer);
  EXPECT_EQ(source_stage(), TransferStage::kStream);
  EXPECT_TRUE(cluster.executes(1, "web"));
  source_converges();
  EXPECT_EQ(phase(), MigrationState::kMove);
  EXPECT_EQ(source_stage(), TransferStage::kFinish);
  EXPECT_FALSE(cluster.executes(1, "web"));
  EXPECT_FALSE(cluster.executes(2, "web"));
  target_holds_all();
  EXPECT_EQ(phase(), MigrationState::kNoMigration);
  EXPECT_EQ(cluster.state().vm("web")->owner(), 2u);
  EXPECT_TRUE(cluster.executes(2, "web"));
  EXPECT_EQ(cluster.guests(2).at("web").order.origin, pb::ORIGIN_IMAGE);
  EXPECT_EQ(cluster.guests(1).at("web").order.want, pb::GUEST_ABSENT);
  EXPECT_FALSE(task().complete());
  cluster.report(2, "web", pb::TRANSFER_RESUMED);
  cluster.run_for(50 * kMillisecond);
  EXPECT_TRUE(task().complete());
  EXPECT_EQ(task().result(), 0u);
  EXPECT_EQ(task().job().job_state(), 7u);
  EXPECT_EQ(cluster.events("migration-state"),
            (Names{"Setup", "Data Transfer", "Move", "No Migration"}));
}

TEST_F(MigrationStory, TheNextMigrationLeavesDataTransferOnlyWhenThePagesOfTheFormerAreChecked) {
  target_ready();
  source_converges();
  target_holds_all();
  cluster.report(2, "web", pb::TRANSFER_RESUMED);
  cluster.run_for(50 * kMillisecond);
  const TaskId first = job;
  const std::uint64_t attempt = task().job().attempt();

  job = cluster.migrate("web", 3)->task();
  cluster.run_for(50 * kMillisecond);
  cluster.report(3, "web", pb::TRANSFER_READY);
  cluster.run_for(50 * kMillisecond);
  EXPECT_EQ(source_of_job(), 2u);
  TransferReport converged{"web", job, task().job().attempt(), pb::TRANSFER_CONVERGED, 0, "", {}};
  cluster.report(2, converged);
  cluster.run_for(kSecond);
  EXPECT_EQ(phase(), MigrationState::kDataTransfer);

  TransferReport verified{"web", first, attempt, pb::TRANSFER_VERIFIED, 0, "", {}};
  verified.statistics.set_digest(pb::MigrationStatistics::DIGEST_MATCH);
  cluster.report(2, verified);
  cluster.run_for(kSecond);
  EXPECT_EQ(cluster.state().task(first)->job().statistics().digest(),
            pb::MigrationStatistics::DIGEST_MATCH);
  EXPECT_EQ(phase(), MigrationState::kMove);
}

TEST_F(MigrationStory, KeepsTheBootOfTheGuestAndRaisesTheEpoch) {
  const std::uint64_t boot = cluster.state().vm("web")->boot_id();
  const std::uint64_t epoch = cluster.state().vm("web")->epoch().counter();
  target_ready();
  source_converges();
  target_holds_all();
  EXPECT_EQ(cluster.state().vm("web")->boot_id(), boot);
  EXPECT_GT(cluster.state().vm("web")->epoch().counter(), epoch);
}

TEST_F(MigrationStory, CancelInSetupAndInDataTransferLeavesTheVmWithTheSource) {
  const auto reply = cluster.cancel("web");
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->code(), 0u);
  EXPECT_EQ(phase(), MigrationState::kCanceled);
  EXPECT_EQ(task().result(), static_cast<std::uint32_t>(VMTaskResult::kCancelled));
  EXPECT_TRUE(cluster.executes(1, "web"));

  job = cluster.migrate("web", 2)->task();
  target_ready();
  EXPECT_EQ(phase(), MigrationState::kDataTransfer);
  EXPECT_EQ(cluster.cancel("web")->code(), 0u);
  EXPECT_EQ(phase(), MigrationState::kCanceled);
  EXPECT_TRUE(cluster.executes(1, "web"));
  EXPECT_EQ(source_stage(), TransferStage::kDrop);
  EXPECT_EQ(cluster.transfers(2, "web").at(TransferRole::kTarget).stage, TransferStage::kDrop);
}

TEST_F(MigrationStory, CancelInMoveIsRefused) {
  target_ready();
  source_converges();
  const auto reply = cluster.cancel("web");
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(static_cast<Code>(reply->code()), Code::kInvalidState);
  EXPECT_EQ(phase(), MigrationState::kMove);
}

TEST_F(MigrationStory, ARefusingTargetEndsInFailure) {
  cluster.report(2, "web", pb::TRANSFER_FAILED);
  cluster.run_for(50 * kMillisecond);
  EXPECT_EQ(phase(), MigrationState::kFailure);
  EXPECT_TRUE(cluster.executes(1, "web"));
  // Sticky until another migration starts.
  cluster.run_for(kSecond);
  EXPECT_EQ(phase(), MigrationState::kFailure);
  job = cluster.migrate("web", 2)->task();
  EXPECT_EQ(phase(), MigrationState::kSetup);
}

TEST_F(MigrationStory, ADeadTargetEndsInFailureInEachPhaseAndTheSourceResumes) {
  target_ready();
  source_converges();
  EXPECT_FALSE(cluster.executes(1, "web"));
  cluster.kill(2);
  cluster.evidence(2);
  ASSERT_TRUE(cluster.run_until([&] { return phase() == MigrationState::kFailure; }));
  cluster.run_for(100 * kMillisecond);
  EXPECT_TRUE(cluster.executes(1, "web"));
  EXPECT_EQ(cluster.state().vm("web")->owner(), 1u);
}

TEST_F(MigrationStory, ASourceThatDiesBeforeTheHandOverIsAFailover) {
  target_ready();
  cluster.kill(1);
  cluster.evidence(1);
  ASSERT_TRUE(cluster.run_until([&] {
    return cluster.leader() != kNoNode && cluster.leader() != 1 &&
           cluster.state().vm("web")->owner() != 1 && cluster.vm_state("web") == VmState::kRunning;
  }));
  EXPECT_EQ(phase(), MigrationState::kFailure);
  EXPECT_TRUE(task().job().restarted_elsewhere());
}

TEST_F(MigrationStory, ATargetThatSeesItsConnectionCloseDoesNotEndTheJobOfADeadSource) {
  target_ready();
  cluster.kill(1);
  cluster.report(2, "web", pb::TRANSFER_FAILED);
  cluster.run_for(50 * kMillisecond);
  cluster.evidence(1);
  ASSERT_TRUE(cluster.run_until([&] {
    return cluster.leader() != kNoNode && cluster.state().vm("web")->owner() != 1 &&
           cluster.vm_state("web") == VmState::kRunning;
  }));
  EXPECT_TRUE(task().job().restarted_elsewhere());
  EXPECT_EQ(phase(), MigrationState::kFailure);
}

TEST_F(MigrationStory, ATargetThatAloneSeesAFailureIsBelievedInTheEnd) {
  target_ready();
  cluster.report(2, "web", pb::TRANSFER_FAILED);
  cluster.run_for(50 * kMillisecond);
  EXPECT_EQ(phase(), MigrationState::kDataTransfer);
  EXPECT_TRUE(cluster.run_until([&] { return phase() == MigrationState::kFailure; }));
  EXPECT_TRUE(cluster.executes(1, "web"));
}

TEST_F(MigrationStory, ASourceThatDiesAfterTheReleaseDoesNotStopTheHandOver) {
  target_ready();
  source_converges();
  if (cluster.leader() == 1) GTEST_SUCCEED();
  cluster.report(1, "web", pb::TRANSFER_RELEASED);
  cluster.kill(1);
  cluster.report(2, "web", pb::TRANSFER_HOLDS_ALL);
  ASSERT_TRUE(cluster.run_until(
      [&] { return cluster.leader() != kNoNode && cluster.state().vm("web")->owner() == 2; }));
  cluster.run_for(100 * kMillisecond);
  EXPECT_TRUE(cluster.executes(2, "web"));
  EXPECT_EQ(cluster.guests(2).at("web").order.origin, pb::ORIGIN_IMAGE);
}

TEST_F(MigrationStory, ALostImageIsAColdRestartOnANewEpoch) {
  target_ready();
  source_converges();
  cluster.obedient_guests = false;
  target_holds_all();
  ASSERT_EQ(cluster.state().vm("web")->owner(), 2u);
  const GuestOrder order = cluster.guests(2).at("web").order;
  cluster.obedient_guests = true;
  cluster.report(2, GuestReport{"web", order.epoch, order.boot_id, pb::CONDITION_IMAGE_LOST, 2,
                                "The image is not here."});
  ASSERT_TRUE(cluster.run_until([&] {
    return cluster.vm_state("web") == VmState::kRunning && cluster.state().vm("web")->job() == 0;
  }));
  EXPECT_TRUE(task().job().restarted_elsewhere());
  EXPECT_EQ(phase(), MigrationState::kFailure);
  EXPECT_NE(cluster.state().vm("web")->boot_id(), order.boot_id);
}

// ---- Post-copy ----------------------------------------------------------------------------------

TEST_F(MigrationStory, InPostCopyTheGuestRunsAtTheTargetAndTheSourceServesUntilThePagesAreThere) {
  const std::uint64_t epoch = cluster.state().vm("web")->epoch().counter();
  target_ready();
  source_wants_post_copy();
  EXPECT_TRUE(cluster.transfers(1, "web").at(TransferRole::kSource).post_copy);
  EXPECT_EQ(source_stage(), TransferStage::kFinish);
  cluster.report(2, "web", pb::TRANSFER_HOLDS_STATE);
  cluster.run_for(50 * kMillisecond);
  EXPECT_TRUE(pages_follow());
  EXPECT_EQ(phase(), MigrationState::kMove);
  EXPECT_EQ(cluster.state().vm("web")->owner(), 2u);
  EXPECT_GT(cluster.state().vm("web")->epoch().counter(), epoch);
  EXPECT_TRUE(cluster.executes(2, "web"));
  EXPECT_FALSE(cluster.executes(1, "web"));
  EXPECT_EQ(source_stage(), TransferStage::kFinish);  // it serves
  // Its pages take room there.
  EXPECT_EQ(cluster.state().memory_in_use(1), cluster.state().memory_in_use(2));

  cluster.report(2, "web", pb::TRANSFER_RESUMED);
  cluster.run_for(500 * kMillisecond);
  EXPECT_TRUE(pages_follow());
  cluster.report(2, "web", pb::TRANSFER_HOLDS_PAGES);
  cluster.run_for(50 * kMillisecond);
  EXPECT_EQ(phase(), MigrationState::kNoMigration);
  EXPECT_TRUE(task().complete());
  EXPECT_EQ(task().result(), 0u);
  EXPECT_EQ(source_stage(), TransferStage::kDrop);
  EXPECT_TRUE(cluster.executes(2, "web"));
  EXPECT_EQ(cluster.state().memory_in_use(1), 0u);
  EXPECT_EQ(cluster.events("migration-state"),
            (Names{"Setup", "Data Transfer", "Move", "No Migration"}));
}

TEST_F(MigrationStory, InPostCopyTheImageAloneDoesNotChangeTheOwner) {
  target_ready();
  source_wants_post_copy();
  cluster.report(2, "web", pb::TRANSFER_HOLDS_ALL);
  cluster.run_for(50 * kMillisecond);
  EXPECT_EQ(cluster.state().vm("web")->owner(), 1u);
}

TEST_F(MigrationStory, WithoutPostCopyTheStateAloneDoesNotChangeTheOwner) {
  target_ready();
  source_converges();
  cluster.report(2, "web", pb::TRANSFER_HOLDS_STATE);
  cluster.run_for(50 * kMillisecond);
  EXPECT_EQ(cluster.state().vm("web")->owner(), 1u);
}

TEST_F(MigrationStory, InPostCopyEveryRequestIsRefusedAsInMove) {
  come_to_post_copy();
  EXPECT_EQ(static_cast<Code>(cluster.cancel("web")->code()), Code::kInvalidState);
  for (const VmMethod method : {VmMethod::kSave, VmMethod::kReset, VmMethod::kTurnOff}) {
    EXPECT_EQ(static_cast<Code>(cluster.method("web", method)->code()), Code::kInvalidState);
  }
  for (const std::uint32_t wish : {4u, 5u}) {  // Terminate, Kill
    pb::Request request;
    request.mutable_request_state_change()->set_job(job);
    request.mutable_request_state_change()->set_requested_state(wish);
    EXPECT_EQ(cluster.ask(3, request)->return_value(), 32775u);
  }
  EXPECT_TRUE(pages_follow());
  EXPECT_TRUE(cluster.executes(2, "web"));
}

TEST_F(MigrationStory, ASourceThatDiesInPostCopyCostsTheMemoryAndTheVmStartsAnew) {
  come_to_post_copy();
  const std::uint64_t epoch = cluster.state().vm("web")->epoch().counter();
  const std::uint64_t boot = cluster.state().vm("web")->boot_id();
  cluster.kill(1);
  cluster.evidence(1);
  ASSERT_TRUE(cluster.run_until([&] {
    return cluster.leader() != kNoNode && cluster.leader() != 1 &&
           phase() == MigrationState::kFailure;
  }));
  cluster.run_for(50 * kMillisecond);
  EXPECT_NE(task().error_message().find("what the guest had in memory is lost"), std::string::npos)
      << task().error_message();
  EXPECT_TRUE(task().job().restarted_elsewhere());
  target_loses_guest();
  ASSERT_TRUE(cluster.run_until([&] { return cluster.state().vm("web")->boot_id() != boot; }));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.vm_state("web") == VmState::kRunning; }));
  EXPECT_GT(cluster.state().vm("web")->epoch().counter(), epoch);
  EXPECT_NE(cluster.state().vm("web")->owner(), 1u);
  EXPECT_EQ(cluster.state().vm("web")->origin(), pb::ORIGIN_FRESH);
}

TEST_F(MigrationStory, ASourceThatDiesWhenEveryPageIsThereCostsNothing) {
  come_to_post_copy();
  const std::uint64_t boot = cluster.state().vm("web")->boot_id();
  cluster.kill(1);
  cluster.report(2, "web", pb::TRANSFER_HOLDS_PAGES);
  cluster.run_for(10 * kMillisecond);
  cluster.evidence(1);
  ASSERT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode && task().complete(); }));
  EXPECT_EQ(task().result(), 0u);
  EXPECT_EQ(cluster.state().vm("web")->boot_id(), boot);
  EXPECT_TRUE(cluster.executes(2, "web"));
}

TEST_F(MigrationStory, ATargetThatDiesInPostCopyIsAColdRestartAndTheSourceNeverResumes) {
  come_to_post_copy();
  const std::uint64_t boot = cluster.state().vm("web")->boot_id();
  cluster.kill(2);
  cluster.evidence(2);
  ASSERT_TRUE(cluster.run_until([&] {
    EXPECT_TRUE(cluster.guests(1).at("web").order.boot_id != boot ||
                cluster.guests(1).at("web").order.want == pb::GUEST_ABSENT);
    return cluster.leader() != kNoNode && phase() == MigrationState::kFailure &&
           cluster.vm_state("web") == VmState::kRunning;
  }));
  EXPECT_NE(cluster.state().vm("web")->boot_id(), boot);
  EXPECT_TRUE(task().job().restarted_elsewhere());
  EXPECT_EQ(source_stage(), TransferStage::kDrop);
}

TEST_F(MigrationStory, PagesThatDoNotComeInTimeAreGivenUp) {
  come_to_post_copy();
  for (int i = 0; i < 6 && phase() != MigrationState::kFailure; ++i) {
    cluster.run_for(10 * kSecond);
    if (i == 0) {
      EXPECT_TRUE(pages_follow());
    }
  }
  ASSERT_EQ(phase(), MigrationState::kFailure);
  EXPECT_EQ(task().result(), static_cast<std::uint32_t>(VMTaskResult::kTimeOutError));
  EXPECT_EQ(source_stage(), TransferStage::kDrop);
  target_loses_guest();
  ASSERT_TRUE(cluster.run_until([&] {
    return cluster.state().vm("web")->image_job() == 0 &&
           cluster.vm_state("web") == VmState::kRunning;
  }));
}

// The guest has 256 MiB: twice 8 s at the slow link that is reckoned with, twice 256 s at 1 MiB/s.
TEST_F(MigrationStory, PagesHaveTheTimeThatTheirSourceNeedsAtItsLimit) {
  const Value limit = Value::dword(1 << 20);
  ASSERT_EQ(cluster.set("node", "node-1", "MigrationBandwidthLimit", limit)->code(), 0u);
  come_to_post_copy();
  cluster.run_for(530 * kSecond);
  EXPECT_TRUE(pages_follow());
  cluster.run_for(20 * kSecond);
  EXPECT_EQ(phase(), MigrationState::kFailure);
}

TEST_F(MigrationStory, PagesGetMoreTimeWhenTheirSourceMaySendLessAndNeverLess) {
  come_to_post_copy();
  const std::int64_t before = task().job().phase_deadline_ns();
  const auto limit = [&](std::uint32_t bytes_per_second) {
    cluster.set("node", "node-1", "MigrationBandwidthLimit", Value::dword(bytes_per_second));
    return task().job().phase_deadline_ns() - before;
  };
  EXPECT_EQ(limit(32 << 20), 0) << "that much was reckoned with";
  EXPECT_EQ(limit(1 << 20), (512 - 16) * kSecond);
  EXPECT_EQ(limit(0), (512 - 16) * kSecond);
}

TEST_F(MigrationStory, ANewLeaderEndsAPostCopyThatItDidNotBegin) {
  come_to_post_copy();
  const NodeId leader = cluster.leader();
  if (leader == 3) {
    cluster.kill(3);
    cluster.evidence(3);
    ASSERT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode; }));
  }
  EXPECT_TRUE(pages_follow());
  cluster.report(2, "web", pb::TRANSFER_HOLDS_PAGES);
  ASSERT_TRUE(cluster.run_until([&] { return task().complete(); }));
  EXPECT_EQ(task().result(), 0u);
}

TEST_F(MigrationStory, APhaseThatLastsTooLongEndsInFailure) {
  target_ready();
  source_converges();
  EXPECT_TRUE(cluster.run_until([&] { return phase() == MigrationState::kFailure; }) ||
              cluster.run_until([&] { return phase() == MigrationState::kFailure; }));
  EXPECT_EQ(task().result(), static_cast<std::uint32_t>(VMTaskResult::kTimeOutError));
  EXPECT_TRUE(cluster.executes(1, "web"));
}

TEST_F(MigrationStory, ANewLeaderContinuesWhereTheOldOneStopped) {
  target_ready();
  const NodeId leader = cluster.leader();
  if (leader == 3) {
    cluster.kill(3);
    cluster.evidence(3);
    ASSERT_TRUE(cluster.run_until([&] { return cluster.leader() != kNoNode; }));
  }
  source_converges();
  EXPECT_EQ(phase(), MigrationState::kMove);
}

TEST_F(MigrationStory, WithoutAQuorumThePausedGuestStaysPausedUntilItReturns) {
  target_ready();
  source_converges();
  ASSERT_EQ(source_stage(), TransferStage::kFinish);
  cluster.cut(1, 2);
  cluster.cut(1, 3);
  cluster.cut(2, 3);
  cluster.run_for(5 * kSecond);
  for (const NodeId node : {1u, 2u, 3u}) EXPECT_FALSE(cluster.executes(node, "web"));
  cluster.heal();
  EXPECT_TRUE(cluster.run_until([&] {
    return cluster.leader() != kNoNode &&
           (cluster.executes(1, "web") || cluster.executes(2, "web"));
  }) || cluster.run_until([&] { return cluster.executes(1, "web"); }));
}

}  // namespace
}  // namespace failsim
