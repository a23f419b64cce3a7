// The receiving side of a live migration: one thread, from the reservation to the image, and while
// pages come one more for each stream beyond the first (frames.h).
//
//   reserve, map, pre-fault -> ready -> connections accepted -> pages, device state, release ->
//   (check before the resume) -> holds all
//
// If the VM has been here before and its pages are kept (kept_pages.h), they are the memory, and
// the welcome tells their write counts.
//
// Pages go straight into the guest's memory, and nothing else of a frame is used before its
// checksum is known to be right. A frame that is not as it was sent ends the transfer, and the
// memory with it.
//
// The image then waits here for the guest order that makes it the guest (take_image), or for the
// drop. In post-copy that is so as soon as all but some pages is here; its thread then receives the
// pages that follow (page_follower.h), whoever the memory belongs to by then.
//
// What arrives is not trusted: every number is checked before it is used.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cluster/effects.h"
#include "node/hypervisor/channel.h"
#include "node/hypervisor/frames.h"
#include "node/hypervisor/image.h"
#include "node/hypervisor/kept_pages.h"
#include "node/hypervisor/memory_budget.h"
#include "node/hypervisor/page_follower.h"
#include "node/hypervisor/page_receiver.h"
#include "node/hypervisor/stream_group.h"
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
  // One connection and what it brings. Never moved.
  struct Stream {
    Stream(Fd socket, Signal& signal, std::unique_ptr<DataFaults> faults, GuestMemory& memory,
           TouchedPages& touched, std::uint32_t stream, std::uint32_t streams)
        : channel(std::move(socket), signal, std::move(faults)),
          receiver(channel, memory, touched, stream, streams) {}
    Channel channel;
    PageReceiver receiver;
  };

  bool prepare();
  bool find_memory();
  bool wait_for_connections();
  bool receive();
  Io welcome(std::uint32_t stream);
  Io receive_stream(std::uint32_t stream);
  // What comes beside pages; on stream 0, and the end of the others.
  bool take(Stream& from, std::uint32_t stream, const FrameHeader& header, bool& is_last);
  bool receive_message(Stream& from, const FrameHeader& header, std::string& payload);
  bool receive_device_state(Stream& from, const FrameHeader& header);
  bool receive_release(Stream& from, const FrameHeader& header);
  bool receive_missing(Stream& from, const FrameHeader& header);
  bool hold();
  void follow();

  bool dropped() const { return dropped_.load(std::memory_order_acquire); }
  std::uint64_t received_bytes() const;
  bool fail(VMTaskResult result, const std::string& message);
  bool fail_stream(const StreamFault& fault);
  bool fail_connection(Io outcome, const std::string& reason);
  void report(const TransferReport& report);
  void let_memory_go();
  void give_back(std::shared_ptr<GuestMemory> memory);

  const TransferOrder order_;
  const Site site_;
  MemoryBudget& budget_;
  Workers& workers_;
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
  std::vector<std::unique_ptr<Stream>> streams_;
  std::shared_ptr<GuestMemory> memory_;
  std::optional<TouchedPages> touched_;
  std::vector<std::uint32_t> kept_counts_;  // of the pages that were kept, until they are told
  std::optional<DeviceState> state_;
  std::optional<std::vector<std::uint64_t>> missing_;  // as the source has named them
  pb::TransferRelease release_;
};

}  // namespace failsim::node
