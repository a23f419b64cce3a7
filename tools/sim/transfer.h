// The virtual data path of a live migration: what the two ends do for the stages of a
// TransferOrder.
//
// The sender copies write counts page by page, with the bitmap, the rounds and the policy of
// cluster/migration/, at the pace of its link. The receiver keeps the counts it was sent;
// at the resume they are compared with those in the source's device state, so that a forgotten page
// is found. Of a modelled VM only sizes travel.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/effects.h"
#include "cluster/migration/precopy.h"
#include "cluster/migration/precopy_policy.h"
#include "cluster/vm/guest_model.h"
#include "cluster/vm/task_result.h"
#include "tools/sim/guest.h"
#include "tools/sim/host.h"
#include "tools/sim/post_copy.h"

namespace failsim::sim {

// Everything that is not memory, and the source's word that it will not run without a committed
// abort.
struct Release {
  DeviceState device;
  Time started_at = 0;
  Time paused_at = 0;
  Time sent_at = 0;
  pb::MigrationStatistics statistics;  // of the source
  std::optional<Missing> missing;      // post-copy
};

class Sender {
 public:
  Sender(Host& host, const TransferOrder& order);
  ~Sender();

  void order(const TransferOrder& order);
  bool is(TaskId job, std::uint64_t attempt) const {
    return order_.job == job && order_.attempt == attempt;
  }
  const std::string& vm() const { return order_.vm; }
  TaskId job() const { return order_.job; }
  std::uint32_t rounds() const { return round_; }  // of pre-copy that have ended
  // Of a post-copy after the release, else null.
  PageServer* server() { return server_ ? &*server_ : nullptr; }
  std::uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  void connect();
  void stand_still();
  void go_on();
  void begin_round();
  void send_chunk();
  void end_round();
  void pause();
  void send_rest();
  void send_release(PageCounts rest);
  void serve_pages();
  PageCounts take_pages(std::uint64_t most_pages);
  void send_pages(PageCounts pages, std::uint64_t bytes);
  std::uint64_t send_some_pages();
  std::uint64_t send_modelled(Guest& guest);
  std::uint64_t rate() const;
  Duration time_for(std::uint64_t bytes) const;
  bool has_guest();
  // What was sent before may be lost: nothing of it goes on over another connection.
  bool is_cut_off() const;
  void fail(const std::string& why);
  void fail(VMTaskResult result, const std::string& message);
  void say(pb::TransferStatus status);
  pb::MigrationStatistics statistics() const;
  TransferReport report(pb::TransferStatus status, std::uint32_t task_result,
                        const std::string& message) const;
  std::uint64_t remaining_bytes() const;
  std::function<void()> guarded(void (Sender::*step)());

  Host& host_;
  TransferOrder order_;
  pb::TransferStatus status_ = pb::TRANSFER_IDLE;
  std::uint64_t connection_ = 0;  // all of a transfer goes over one
  bool is_paused_ = false;        // kFinish was ordered
  std::uint64_t next_page_ = 0;   // of this round
  std::size_t next_piece_ = 0;    // the same, of a modelled VM
  std::uint64_t piece_left_ = 0;  // bytes of the piece before that one, not sent yet
  bool was_suspended_ = false;    // in this round
  std::uint32_t round_ = 0;
  std::uint64_t round_bytes_ = 0;
  Time round_started_at_ = 0;
  Time started_at_ = 0;
  Time said_at_ = 0;
  std::uint64_t bytes_sent_ = 0;
  PrecopyPolicy policy_;
  bool forced_switch_ = false;
  bool wants_post_copy_ = false;
  std::optional<PageServer> server_;
};

class Receiver {
 public:
  Receiver(Host& host, const TransferOrder& order) : host_(host), order_(order) {}
  ~Receiver();

  void prepare();
  // Of the sender, in order.
  bool accepts() const { return status_ == pb::TRANSFER_READY; }
  void take_pages(const PageCounts& pages);
  void take_following(const PageCounts& pages, std::uint64_t modelled_bytes);
  void take_release(Release release);

  bool is(TaskId job, std::uint64_t attempt) const {
    return order_.job == job && order_.attempt == attempt;
  }
  const std::string& vm() const { return order_.vm; }
  TaskId job() const { return order_.job; }
  // Everything is here, or everything but the pages that follow.
  bool may_resume() const { return holds_image_; }
  FollowingPages* following() { return following_ ? &*following_ : nullptr; }
  const FollowingPages* following() const { return following_ ? &*following_ : nullptr; }

  // ---- the resume, by the guest's runner ----
  Duration time_before_resume() const;  // a check that has to come first
  const DeviceState& device() const { return release_.device; }
  std::uint64_t hand_over_memory();  // the reservation becomes the guest's
  void resumed();

 private:
  bool matches() const;
  void begin_check();
  void verified();
  void note_pages_here();
  void say(pb::TransferStatus status);
  void fail(std::uint32_t task_result, const std::string& why);

  Host& host_;
  const TransferOrder order_;
  pb::TransferStatus status_ = pb::TRANSFER_IDLE;
  std::uint64_t reserved_bytes_ = 0;
  bool holds_image_ = false;
  std::optional<FollowingPages> following_;  // post-copy
  std::vector<std::uint32_t> counts_;
  Release release_;
  pb::MigrationStatistics statistics_;
};

}  // namespace failsim::sim
