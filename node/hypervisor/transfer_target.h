// The receiving side of a live migration: one thread, from the reservation to the image, and while
// pages come one more for each stream beyond the first (frames.h).
//
//   reserve, map, pre-fault -> ready -> connections accepted -> pages, device state, release ->
//   (check before the resume) -> holds all
//
// If the VM has been here before and its pages are kept (kept_pages.h), they are the memory, and
// the welcome tells their write counts.
//
// A frame that is not as it was sent ends the transfer, and the memory with it.
//
// The image then waits here for the guest order that makes it the guest (take_image), or for the
// drop. In post-copy that is so as soon as all but some pages is here; its thread then receives the
// pages that follow (page_follower.h), whoever the memory belongs to by then.
//
// This is the course of it; what it consists of:
//   target_memory.h   where the pages go
//   target_streams.h  what the source sends, and what of it is refused
//   page_follower.h   what follows in post-copy
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/effects.h"
#include "node/hypervisor/channel.h"
#include "node/hypervisor/image.h"
#include "node/hypervisor/kept_pages.h"
#include "node/hypervisor/memory_budget.h"
#include "node/hypervisor/page_follower.h"
#include "node/hypervisor/stream_group.h"
#include "node/hypervisor/target_memory.h"
#include "node/hypervisor/target_streams.h"
#include "node/hypervisor/threads.h"
#include "node/hypervisor/transfer.h"
#include "node/hypervisor/transfer.pb.h"

namespace failsim::node {

class TransferTarget {
 public:
  struct Site {
    std::uint64_t cluster_id = 0;
    std::string node;  // this node, for messages
    std::string peer;
    // A fault of the world: may spoil the memory of an image before it is held. Usually empty.
    std::function<void(GuestMemory&)> image_fault;
    NodeId peer_id = kNoNode;
    HypervisorFaults* faults = nullptr;  // usually none
    KeptPages* kept = nullptr;           // of this node; none: nothing is ever kept
  };

  TransferTarget(TransferOrder order, Site site, MemoryBudget& budget, Workers& workers,
                 ReportTransfer report);
  ~TransferTarget();

  // The body of its thread.
  void run();
  // From any thread; return at once.
  void drop();
  void repeat_report();
  // Takes the connection if it is for exactly this transfer and the first one of its stream.
  bool accept(const pb::TransferHello& hello, Fd& socket);
  // The image, once, if all of it is here, or will follow.
  std::optional<Image> take_image(std::string& why);

  const TransferOrder& order() const { return order_; }

 private:
  // Each is false if the transfer is over: failed, which is reported, or dropped.
  bool prepare();
  bool wait_for_connections();
  bool receive();
  bool hold();
  // Until the last page is here, or the drop.
  void follow();

  Image image_of(const pb::TransferRelease& release) const;
  PageCheck check_all(const DeviceState& state) const;
  // Says in the image which pages are missing.
  std::shared_ptr<PageFollower> follow_image(Image& image,
                                             const std::vector<std::uint64_t>& missing);
  std::unique_ptr<DataFaults> connection_faults() const;  // of a new connection
  bool dropped() const { return dropped_.load(std::memory_order_acquire); }
  bool fail(const Failure& failure);
  void report(const TransferReport& report);

  const TransferOrder order_;
  const Site site_;
  const ReportTransfer report_;

  StreamSignals signals_;
  Signal& signal_;  // of its thread, and of stream 0
  std::atomic<bool> dropped_ = false;
  std::mutex mutex_;
  bool ready_ = false;       // connections may come
  std::vector<Fd> sockets_;  // accepted, not yet taken by the thread; one a stream
  std::vector<bool> connected_;
  std::optional<Image> image_;  // complete
  bool taken_ = false;
  std::optional<TransferReport> last_report_;
  std::shared_ptr<PageFollower> follower_;  // post-copy

  // ---- of its thread ----
  TargetMemory memory_;  // its give_back() is of any thread
  std::optional<TargetStreams> streams_;
};

}  // namespace failsim::node
