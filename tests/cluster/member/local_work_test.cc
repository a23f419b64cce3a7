// What a node tells the leader of its guests and transfers, and when.

#include "cluster/member/local_work.h"

#include "cluster/state/change.h"
#include "tests/cluster/state/small_cluster.h"

namespace failsim {
namespace {

class LocalReports : public SmallCluster {
 protected:
  // Two VMs on node-1 that are being started.
  LocalReports() {
    for (const char* name : {"a", "b"}) {
      pb::Request request;
      request.mutable_create_vm()->set_name(name);
      request.mutable_create_vm()->set_owner(1);
      request.mutable_create_vm()->set_start(true);
      request.mutable_create_vm()->mutable_config()->set_memory_bytes(kMebibyte);
      EXPECT_EQ(ask(request).code(), 0u);
    }
    work.reconcile_all(state, lease, 0, effects);
  }

  void guest_is(const std::string& vm, pb::GuestCondition condition) {
    GuestReport report;
    report.vm = vm;
    report.epoch = epoch_of(state.vm(vm)->epoch());
    report.boot_id = state.vm(vm)->boot_id();
    report.condition = condition;
    work.take(report);
  }
  static std::vector<std::string> guests(const pb::PeerMessage::Report& report) {
    std::vector<std::string> names;
    for (const auto& guest : report.guests()) names.push_back(guest.vm());
    return names;
  }

  using Names = std::vector<std::string>;
  LeaseHolder lease;
  Effects effects;
  LocalWork work{1, 1, {}};
};

TEST_F(LocalReports, NewsIsOnlyWhatHasChanged) {
  EXPECT_FALSE(work.has_news());
  guest_is("a", pb::CONDITION_RUNNING);
  EXPECT_TRUE(work.has_news());
  EXPECT_EQ(guests(work.report_news(state)), Names{"a"});
  EXPECT_FALSE(work.has_news());
  guest_is("b", pb::CONDITION_RUNNING);
  EXPECT_EQ(guests(work.report_news(state)), Names{"b"});
}

TEST_F(LocalReports, WhatAHostSaysOfAFailureIsMadeASentence) {
  const auto told = [this](const std::string& said) {
    GuestReport report;
    report.vm = "a";
    report.epoch = epoch_of(state.vm("a")->epoch());
    report.boot_id = state.vm("a")->boot_id();
    report.condition = pb::CONDITION_FAILED;
    report.error = said;
    work.take(report);
    const pb::PeerMessage::Report news = work.report(state);
    return news.guests_size() == 1 ? news.guests(0).error() : "nothing";
  };
  EXPECT_EQ(told("the connection broke"), "The connection broke.");
  EXPECT_EQ(told("node-2 refused it"), "node-2 refused it.");
  EXPECT_EQ(told("VM 'a' was fenced."), "VM 'a' was fenced.");
  EXPECT_EQ(told("'a' is gone"), "'a' is gone.");
}

TEST_F(LocalReports, WhatWasSaidIsSaidAnewOfARowThatChanged) {
  guest_is("a", pb::CONDITION_RUNNING);
  guest_is("b", pb::CONDITION_RUNNING);
  work.report(state);
  work.row_changed("b");
  EXPECT_EQ(guests(work.report_news(state)), Names{"b"});
}

TEST_F(LocalReports, AllThatIsOpenIsSaidAgainAndIsNoNewsThen) {
  guest_is("a", pb::CONDITION_RUNNING);
  guest_is("b", pb::CONDITION_RUNNING);
  EXPECT_EQ(guests(work.report(state)), (Names{"a", "b"}));
  EXPECT_FALSE(work.has_news());
  EXPECT_EQ(guests(work.report(state)), (Names{"a", "b"}));
}

TEST_F(LocalReports, APercentMoreOfATransferIsNews) {
  run_vm("c", 1);
  const TaskId job = migrate("c", 2).task();
  ASSERT_TRUE(begin_transfer(job));
  work.reconcile(state, "c", lease, 0, effects);
  const auto has_sent = [&](std::uint64_t bytes) {
    TransferReport report;
    report.vm = "c";
    report.job = job;
    report.attempt = state.task(job)->job().attempt();
    report.status = pb::TRANSFER_STREAMING;
    report.statistics.set_bytes_sent(bytes);
    report.statistics.set_remaining_bytes(100'000 - bytes);
    work.take(report);
  };
  has_sent(10'500);
  EXPECT_EQ(work.report_news(state).transfers_size(), 1);
  has_sent(10'700);
  EXPECT_FALSE(work.has_news());
  has_sent(11'100);
  EXPECT_TRUE(work.has_news());
}

TEST_F(LocalReports, OfAGuestThatHasLeftThereIsNoNews) {
  guest_is("a", pb::CONDITION_RUNNING);
  guest_is("b", pb::CONDITION_RUNNING);
  const ClusterState without = ClusterState::born(formed_of(1, 1000 * kMebibyte));
  work.reconcile(without, "a", lease, 0, effects);
  EXPECT_EQ(guests(work.report_news(state)), Names{"b"});
}

}  // namespace
}  // namespace failsim
