// What a source tells of its transfer.
#include "node/hypervisor/source_reports.h"

#include <gtest/gtest.h>

namespace failsim::node {
namespace {

class Reports : public testing::Test {
 protected:
  static TransferOrder web() {
    TransferOrder order;
    order.vm = "web";
    order.job = 5;
    order.attempt = 2;
    return order;
  }

  void send(std::uint64_t bytes) {
    link.bytes_sent += bytes;
    reports.take_off(bytes);
    reports.note_sent();
  }

  const TransferOrder order = web();
  SharedLink link{0};
  SourceSignals signals{1};
  std::vector<TransferReport> told;
  SourceReports reports{order, link, signals,
                        [this](const TransferReport& report) { told.push_back(report); }};
};

TEST_F(Reports, AReportSaysWhichTransferItIsOf) {
  reports.say(pb::TRANSFER_STREAMING);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].vm, "web");
  EXPECT_EQ(told[0].job, 5u);
  EXPECT_EQ(told[0].attempt, 2u);
  EXPECT_EQ(told[0].status, pb::TRANSFER_STREAMING);
}

TEST_F(Reports, TheLastOneIsRepeatedAsItWas) {
  reports.repeat();
  EXPECT_TRUE(told.empty()) << "nothing was said yet";
  reports.say(pb::TRANSFER_STREAMING);
  EXPECT_FALSE(reports.fail(VMTaskResult::kTimeOutError, "It took too long."));
  reports.repeat();
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[2].status, pb::TRANSFER_FAILED);
  EXPECT_EQ(told[2].error, "It took too long.");
}

TEST_F(Reports, AfterADropNothingIsTold) {
  reports.say(pb::TRANSFER_STREAMING);
  signals.drop();
  reports.say(pb::TRANSFER_CONVERGED);
  reports.fail(VMTaskResult::kUnexpectedError, "The connection was lost.");
  reports.repeat();
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(Reports, ProgressFollowsWhatIsSentAsFarAsItWasTold) {
  reports.say(pb::TRANSFER_STREAMING);
  reports.set_left(1'000'000);
  send(305'000);
  reports.say_again();
  EXPECT_EQ(reports.percent(), 30u);
  reports.take_off(400'000);
  EXPECT_EQ(reports.percent(), 30u) << "nobody else knows";
  EXPECT_EQ(told.back().statistics.bytes_sent(), 305'000u);
  EXPECT_EQ(reports.statistics().bytes_sent(), 305'000u);
  EXPECT_EQ(reports.statistics().remaining_bytes(), 695'000u);
}

TEST_F(Reports, ProgressNeverFallsAlthoughTheGuestDirtiesMore) {
  reports.say(pb::TRANSFER_STREAMING);
  reports.set_left(1000);
  send(800);
  reports.say_again();
  EXPECT_EQ(reports.percent(), 72u);
  reports.set_left(1'000'000);
  send(1000);
  reports.say_again();
  EXPECT_EQ(reports.percent(), 72u);
}

TEST_F(Reports, ProgressIsHundredOnlyWhenAllIsSent) {
  reports.say(pb::TRANSFER_STREAMING);
  reports.set_left(1'000'000);
  send(1'000'000);
  reports.say_again();
  EXPECT_EQ(reports.percent(), 99u) << "the release is not there yet";
  reports.all_sent();
  EXPECT_EQ(reports.percent(), 100u);
}

TEST_F(Reports, MoreThanWasLeftLeavesNothing) {
  reports.say(pb::TRANSFER_STREAMING);
  reports.set_left(1000);
  send(4000);  // the guest wrote to pages that the round had not come to
  EXPECT_EQ(reports.statistics().remaining_bytes(), 0u);
}

TEST_F(Reports, ARoundLeavesWhatTheGuestHasDirtied) {
  reports.round_ended(5000);
  reports.round_ended(400);
  EXPECT_EQ(reports.statistics().rounds(), 2u);
  EXPECT_EQ(reports.statistics().remaining_bytes(), 400u);
}

TEST_F(Reports, WhatThePolicyThinksGoesWithEachReport) {
  PrecopyPolicy policy(PrecopySettings{}, std::uint64_t{64} << 20);
  policy.round_ended({std::uint64_t{64} << 20, kSecond, std::uint64_t{1} << 20});
  reports.keep_policy(policy, true);
  reports.set_wants_post_copy(true);
  reports.say(pb::TRANSFER_CONVERGED);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].statistics.sent_bytes_per_second(), policy.link_bytes_per_second());
  EXPECT_TRUE(told[0].statistics.forced_switch());
  EXPECT_TRUE(told[0].post_copy);
  EXPECT_EQ(told[0].rounds.size(), policy.record().size());
  EXPECT_EQ(reports.rounds().size(), 1u);
}

}  // namespace
}  // namespace failsim::node
