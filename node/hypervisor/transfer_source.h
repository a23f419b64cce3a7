// The sending side of a live migration: one thread, from the connections to the release, and one
// more for each stream beyond the first (frames.h), which only sends its share of the pages.
//
//   connect -> hello, welcome on each stream -> rounds -> (converged: goes on with rounds) ->
//   finish ordered: freeze the guest, send the rest, device state, release -> released
//
// In post-copy the rest is only named, and served after the release (page_server.h).
//
// The guest writes on while rounds are sent; its dirty bitmap says what has to go again. After the
// freeze the guest is held (see guest.h), whatever becomes of the transfer.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/effects.h"
#include "cluster/migration/precopy.h"
#include "cluster/migration/precopy_policy.h"
#include "node/hypervisor/channel.h"
#include "node/hypervisor/guest_scheduler.h"
#include "node/hypervisor/page_sender.h"
#include "node/hypervisor/round_sender.h"
#include "node/hypervisor/stream_group.h"
#include "node/hypervisor/transfer.h"
#include "node/hypervisor/transfer.pb.h"

namespace failsim::node {

// What is shown of a transfer while it goes on; written by its thread.
struct TransferProgress {
  std::atomic<std::uint32_t> percent = 0;  // never falls
  std::atomic<std::uint32_t> rounds = 0;
  std::atomic<std::uint64_t> bytes_sent = 0;
  std::atomic<std::uint64_t> bytes_remaining = 0;
};

class TransferSource : public FreezeObserver, public std::enable_shared_from_this<TransferSource> {
 public:
  struct Route {
    std::uint64_t cluster_id = 0;
    std::string node;  // this node, for messages
    std::string local_address;
    std::string peer;  // for messages
    std::string peer_address;
    std::uint16_t port = 0;
    NodeId peer_id = kNoNode;
    std::uint64_t link_bytes_per_second = 0;  // as the last transfer saw it; 0 = not known
    HypervisorFaults* faults = nullptr;       // usually none
    ObservationLog* observations = nullptr;   // usually none
  };

  TransferSource(TransferOrder order, Route route, GuestScheduler& scheduler,
                 ReportTransfer report);

  // The body of its thread.
  void run();
  // From any thread; return at once.
  void finish(bool post_copy);
  // Between two pieces it stands still until it may go on; the guest runs and is tracked.
  void suspend(bool suspended);
  // What it may send from now on, in bytes a second; 0 = any.
  void limit_bandwidth(std::uint64_t bytes_per_second);
  void drop();
  void repeat_report();

  const TransferOrder& order() const { return order_; }
  const TransferProgress& progress() const { return progress_; }
  pb::MigrationStatistics statistics() const;
  std::vector<pb::MigrationRound> rounds() const;

  // ---- FreezeObserver ----
  void guest_stopped(Time at) override;
  void guest_drained(const DeviceState& state) override;
  void guest_unavailable(const std::string& why) override;
  bool dropped() const override { return dropped_.load(std::memory_order_acquire); }

 private:
  // What the guest thread has told.
  struct GuestAnswers {
    bool memory_known = false;
    std::shared_ptr<GuestMemory> memory;
    std::optional<DirtyHabit> habit;
    std::optional<Time> stopped_at;
    std::optional<DeviceState> state;
    std::optional<std::string> unavailable;
    std::optional<std::vector<std::uint32_t>> counts;  // see mark_what_changed()
  };
  // One connection and what sends on it. Never moved.
  struct Stream {
    Stream(Fd socket, Signal& signal, std::unique_ptr<DataFaults> faults, SharedLink& link)
        : channel(std::move(socket), signal, std::move(faults)), sender(channel, link) {}
    Channel channel;
    PageSender sender;
    std::optional<RoundSender> rounds;  // of a VM that has pages
  };

  bool stream();
  bool find_guest();
  // Before the first byte: what the guest was seen to do, and what that comes to on this link.
  void foresee(const std::optional<DirtyHabit>& guest);
  bool connect();
  bool connect(std::uint32_t stream);
  // A connection after a hello about it; not valid if there is none, whose reason is told.
  Fd open_connection(Duration limit, Io& outcome, std::string& reason);
  pb::TransferHello hello() const;
  bool hear_welcome(std::uint32_t stream);
  bool mark_what_changed();
  bool send_rounds();
  bool send_round(std::uint32_t round);
  bool send_dirty(bool may_suspend);
  bool send_modelled_round();
  bool send_rest();
  void name_rest();
  Io send_missing();
  bool serve_pages();
  std::unique_ptr<Channel> connect_for_pages();
  bool end_streams();
  bool release();
  // The same on all streams at once.
  bool perform(const StreamGroup::Work& work, const std::string& doing);

  // Where a transfer may stand still; false if it is over.
  bool wait_while_suspended();
  // Waits until `ready(answers_)`; false if the transfer is over.
  bool wait_for_guest(const std::function<bool(const GuestAnswers&)>& ready);
  std::uint64_t dirty_bytes();
  // A VM whose pages nobody tracks has written until now, at the rate it has now; until it paused.
  void catch_up_modelled();
  // Of the guest's time; ends with the transfer, whichever thread ends it.
  void throttle_guest(std::uint32_t percent);
  void end_throttle();
  // For the fault forget-page: leaves one page out of every round. On the thread of any stream.
  void forget_page(PageRuns& runs);
  // What the policy decided; false if that ends the transfer.
  bool perform(PrecopyDecision decision);
  void note_estimates();
  void note_sent();
  void observe_round(std::uint32_t number, const RoundEnd& end, bool is_decided,
                     PrecopyDecision decision) const;

  // Turns an outcome into true (go on) or false (over; failed, unless dropped).
  bool check(Io outcome, const std::string& doing) { return check(outcome, 0, doing); }
  bool check(Io outcome, std::uint32_t stream, const std::string& doing);
  std::string refusal();
  bool fail(VMTaskResult result, const std::string& message);
  void report(pb::TransferStatus status);
  void report(const TransferReport& report);

  const TransferOrder order_;
  const Route route_;
  GuestScheduler& scheduler_;
  const ReportTransfer report_;

  StreamSignals signals_;
  Signal& signal_;  // of its thread, and of stream 0
  std::atomic<bool> dropped_ = false;
  std::atomic<bool> finish_ordered_ = false;
  std::atomic<bool> post_copy_ = false;  // as the order to finish says
  std::atomic<bool> suspended_ = false;
  mutable std::mutex mutex_;
  GuestAnswers answers_;
  std::optional<TransferReport> last_report_;
  pb::MigrationStatistics estimates_;  // of the latest round
  std::vector<pb::MigrationRound> rounds_;

  // ---- of its thread ----
  SharedLink link_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::optional<StreamGroup> group_;
  std::shared_ptr<GuestMemory> memory_;
  std::vector<std::uint32_t> kept_counts_;  // of the pages the target has from before
  bool converged_ = false;
  bool was_suspended_ = false;  // in this round
  bool forced_ = false;
  bool wants_post_copy_ = false;
  std::vector<std::uint64_t> missing_;  // post-copy: a bit for each page that is to follow
  std::uint64_t missing_bytes_ = 0;
  PrecopyPolicy policy_;
  std::mutex forgetting_;
  std::optional<std::uint64_t> forgotten_page_;  // of a fault
  DirtyPieces modelled_;                         // of a VM whose pages nobody tracks
  Time modelled_at_ = 0;                         // it has written until then
  const std::shared_ptr<Throttle> throttle_ = std::make_shared<Throttle>(0);
  std::atomic<std::uint64_t> round_bytes_left_ = 0;
  std::atomic<std::uint64_t> kept_pages_ = 0;
  pb::TransferStatus reported_ = pb::TRANSFER_IDLE;
  Time reported_at_ = 0;
  TransferProgress progress_;
};

}  // namespace failsim::node
