#include "node/hypervisor/source_reports.h"

#include <algorithm>
#include <utility>

#include "cluster/migration/progress.h"
#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

constexpr Duration kReportEvery = 100 * kMillisecond;

}  // namespace

SourceReports::SourceReports(const TransferOrder& order, const SharedLink& link,
                             const SourceSignals& signals, ReportTransfer report)
    : order_(order), link_(link), signals_(signals), report_(std::move(report)) {}

// ---- from any thread ----------------------------------------------------------------------------

void SourceReports::repeat() {
  const std::lock_guard lock(mutex_);
  if (last_report_ && !signals_.dropped()) report_(*last_report_);
}

pb::MigrationStatistics SourceReports::statistics() const {
  const std::lock_guard lock(mutex_);
  pb::MigrationStatistics statistics = estimates_;
  statistics.set_rounds(rounds_ended_.load());
  statistics.set_bytes_sent(link_.bytes_sent.load());
  statistics.set_zero_pages(link_.zero_pages.load());
  statistics.set_duplicate_pages(link_.copied_pages.load());
  statistics.set_compressed_pages(link_.compressed_pages.load());
  statistics.set_kept_pages(kept_pages_.load());
  statistics.set_remaining_bytes(bytes_remaining_.load());
  return statistics;
}

std::vector<pb::MigrationRound> SourceReports::rounds() const {
  const std::lock_guard lock(mutex_);
  return rounds_;
}

void SourceReports::take_off(std::uint64_t bytes) {
  std::uint64_t left = bytes_left_.load();
  while (!bytes_left_.compare_exchange_weak(left, left - std::min(left, bytes))) {
  }
}

// ---- of the thread of the transfer --------------------------------------------------------------

void SourceReports::say(pb::TransferStatus status) {
  status_ = status;
  said_at_ = boottime_now();
  tell(report_of(order_, status));
}

bool SourceReports::fail(VMTaskResult result, const std::string& message) {
  tell(failure_report(order_, {result, message}));
  return false;
}

void SourceReports::tell(TransferReport report) {
  report.statistics = statistics();
  report.post_copy = wants_post_copy_;
  const std::uint32_t percent =
      percent_sent(report.statistics.bytes_sent(), report.statistics.remaining_bytes());
  percent_.store(std::max(percent, percent_.load()));
  const std::lock_guard lock(mutex_);
  if (signals_.dropped()) return;
  report.rounds = rounds_;
  last_report_ = report;
  report_(report);
}

void SourceReports::keep_policy(const PrecopyPolicy& policy, bool is_forced) {
  const std::lock_guard lock(mutex_);
  keep_estimates(policy, estimates_);
  estimates_.set_forced_switch(is_forced);
  rounds_.assign(policy.record().begin(), policy.record().end());
}

void SourceReports::set_left(std::uint64_t bytes) {
  bytes_left_.store(bytes);
  bytes_remaining_.store(bytes);
}

void SourceReports::round_ended(std::uint64_t dirty_bytes) {
  rounds_ended_.fetch_add(1);
  bytes_remaining_.store(dirty_bytes);
}

void SourceReports::note_sent() {
  bytes_remaining_.store(bytes_left_.load());
  if (boottime_now() >= said_at_ + kReportEvery) say_again();
}

}  // namespace failsim::node
