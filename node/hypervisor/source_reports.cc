#include "node/hypervisor/source_reports.h"

#include <algorithm>
#include <utility>

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

// The share of what has to be sent that was sent. It may fall when the guest dirties faster than
// the stream is; what is shown never falls, and says 100 only when all was sent.
void SourceReports::note_sent() {
  const std::uint64_t sent = link_.bytes_sent.load();
  const std::uint64_t left = bytes_left_.load();
  bytes_remaining_.store(left);
  const std::uint64_t all = sent + left;
  const auto percent = static_cast<std::uint32_t>(all == 0 ? 0 : sent / (all / 100 + 1));
  percent_.store(std::clamp(percent, percent_.load(), std::uint32_t{99}));
  if (boottime_now() >= said_at_ + kReportEvery) say_again();
}

}  // namespace failsim::node
