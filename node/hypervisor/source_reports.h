// What a source tells of its transfer: the reports to whoever gave the order, and what others may
// look at meanwhile.
//
// The thread of the transfer writes. Statistics are asked for by any thread, and so is the last
// report. After a drop nothing is reported.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/effects.h"
#include "cluster/migration/precopy_policy.h"
#include "node/hypervisor/page_sender.h"
#include "node/hypervisor/source_signals.h"
#include "node/hypervisor/transfer.h"

namespace failsim::node {

class SourceReports {
 public:
  // All must outlive it.
  SourceReports(const TransferOrder& order, const SharedLink& link, const SourceSignals& signals,
                ReportTransfer report);

  // ---- from any thread ----
  void repeat();
  pb::MigrationStatistics statistics() const;
  std::vector<pb::MigrationRound> rounds() const;
  // Of what was sent, as far as it is reported: others know no more, and what they show is not to
  // fall when the transfer is over.
  std::uint32_t percent() const { return percent_.load(); }
  // So much of what was left is sent.
  void take_off(std::uint64_t bytes);

  // ---- of the thread of the transfer ----
  void say(pb::TransferStatus status);
  // The last status, with what has changed since.
  void say_again() { say(status_); }
  // Returns false, as what has failed does.
  bool fail(VMTaskResult result, const std::string& message);

  void keep_policy(const PrecopyPolicy& policy, bool is_forced);
  void set_wants_post_copy(bool wanted) { wants_post_copy_ = wanted; }
  void set_kept_pages(std::uint64_t pages) { kept_pages_.store(pages); }
  // So much of the guest's memory is to be sent as of now.
  void set_left(std::uint64_t bytes);
  void round_ended(std::uint64_t dirty_bytes);
  // Shows how far it is, and says so now and then, whatever the round.
  void note_sent();
  void all_sent() { percent_.store(100); }

 private:
  void tell(TransferReport report);

  const TransferOrder& order_;
  const SharedLink& link_;
  const SourceSignals& signals_;
  const ReportTransfer report_;

  std::atomic<std::uint32_t> percent_ = 0;
  std::atomic<std::uint32_t> rounds_ended_ = 0;
  std::atomic<std::uint64_t> bytes_left_ = 0;
  std::atomic<std::uint64_t> bytes_remaining_ = 0;  // as it is shown
  std::atomic<std::uint64_t> kept_pages_ = 0;
  mutable std::mutex mutex_;
  std::optional<TransferReport> last_report_;
  pb::MigrationStatistics estimates_;  // of the latest round
  std::vector<pb::MigrationRound> rounds_;

  // ---- of the thread of the transfer ----
  bool wants_post_copy_ = false;
  pb::TransferStatus status_ = pb::TRANSFER_IDLE;
  Time said_at_ = 0;
};

}  // namespace failsim::node
