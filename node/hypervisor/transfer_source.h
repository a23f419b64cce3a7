// The sending side of a live migration: one thread, from the connections to the release, and one
// more for each stream beyond the first (frames.h), which only sends its share of the pages.
//
//   connect -> hello, welcome on each stream -> rounds -> (converged: goes on with rounds) ->
//   finish ordered: freeze the guest, send the rest, device state, release -> released
//
// In post-copy the rest is only named, and served after the release (page_server.h).
//
// This is the course of it; what it consists of:
//   source_connections.h  to the target, and what is refused there
//   source_guest.h        what the guest thread is asked
//   source_memory.h       what has to be sent, and sending it
//   source_reports.h      what is told
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/effects.h"
#include "cluster/migration/precopy_policy.h"
#include "node/hypervisor/source_connections.h"
#include "node/hypervisor/source_guest.h"
#include "node/hypervisor/source_memory.h"
#include "node/hypervisor/source_reports.h"
#include "node/hypervisor/source_signals.h"

namespace failsim::node {

class TransferSource {
 public:
  // The scheduler must outlive it. `observations`: usually none.
  TransferSource(TransferOrder order, SourceRoute route, GuestScheduler& scheduler,
                 ReportTransfer report, ObservationLog* observations);

  // The body of its thread.
  void run();
  // From any thread; return at once.
  void finish(bool post_copy);
  // Between two pieces it stands still until it may go on; the guest runs and is tracked.
  void suspend(bool suspended);
  // What it may send from now on, in bytes a second; 0 = any.
  void limit_bandwidth(std::uint64_t bytes_per_second);
  void drop();
  void repeat_report() { reports_.repeat(); }

  const TransferOrder& order() const { return order_; }
  // What is shown of it while it goes on.
  const SourceReports& shown() const { return reports_; }

 private:
  // Each is false if the transfer is over: failed, which is reported, or dropped.
  bool stream();
  bool find_guest();
  bool prepare_memory();
  bool send_rounds();
  bool send_round(std::uint32_t round);
  bool round_ended(std::uint32_t round, const RoundEnd& end);
  bool perform(PrecopyDecision decision);
  bool await_finish(Time until);
  bool send_rest();
  bool release();
  bool wait_while_suspended();
  bool without_guest(const std::string& why);
  void serve_pages();

  std::unique_ptr<SourceMemory> modelled_pages();
  // Before the first byte: what the guest was seen to do, and what that comes to on this link.
  void foresee(const std::optional<DirtyHabit>& guest);
  void throttle_guest(std::uint32_t percent);
  bool is_finish_ordered() const { return finish_ordered_.load(std::memory_order_acquire); }
  bool is_post_copy() const { return post_copy_.load(std::memory_order_acquire); }
  void observe_round(std::uint32_t number, const RoundEnd& end, bool is_decided,
                     PrecopyDecision decision) const;

  const TransferOrder order_;
  const SourceRoute route_;
  ObservationLog* const observations_;
  const std::shared_ptr<SourceSignals> signals_;
  Signal& signal_;  // of its thread, and of stream 0
  SharedLink link_;
  SourceReports reports_;
  const std::shared_ptr<SourceGuest> guest_;
  std::atomic<bool> finish_ordered_ = false;
  std::atomic<bool> post_copy_ = false;  // as the order to finish says
  std::atomic<bool> suspended_ = false;

  // ---- of its thread ----
  SourceConnections connections_;
  const SourceGuest::Wait wait_for_guest_;
  std::shared_ptr<GuestMemory> guest_memory_;
  std::unique_ptr<SourceMemory> memory_;  // sends it
  PrecopyPolicy policy_;
  bool converged_ = false;
  bool was_suspended_ = false;  // in this round
  SourceMemory::Rest rest_;     // in post-copy
};

}  // namespace failsim::node
