// The receiving side of a live migration: one thread, from the reservation to the image.
//
//   reserve, map, pre-fault -> ready -> connection accepted -> pages, device state, release ->
//   (check before the resume) -> holds all
//
// Pages go straight into the guest's memory, and nothing else of a frame is used before its
// checksum is known to be right. A frame that is not as it was sent ends the transfer, and the
// memory with it.
//
// The image then waits here for the guest order that makes it the guest (take_image), or for the
// drop. What arrives is not trusted: every number is checked before it is used.
#pragma once

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
#include "node/hypervisor/memory_budget.h"
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
  };

  TransferTarget(TransferOrder order, Site site, MemoryBudget& budget, Workers& workers,
                 ReportTransfer report);
  ~TransferTarget();

  // The body of its thread.
  void run();
  // From any thread; return at once.
  void drop();
  void repeat_report();
  // Takes the connection if it is for exactly this transfer and the first one.
  bool accept(const pb::TransferHello& hello, Fd& socket);
  // The image, once, if all of it is here.
  std::optional<Image> take_image(std::string& why);

  const TransferOrder& order() const { return order_; }

 private:
  bool prepare();
  bool wait_for_connection();
  bool receive();
  bool welcome();
  bool receive_pages(const FrameHeader& header);
  bool receive_seals(std::uint64_t page_bytes);
  bool receive_message(const FrameHeader& header, std::string& payload);
  bool receive_body(const FrameHeader& header, std::span<std::byte> body);
  bool receive_device_state(const FrameHeader& header);
  bool receive_release(const FrameHeader& header);
  bool hold();

  bool check(Io outcome);
  bool fail(VMTaskResult result, const std::string& message);
  bool fail_stream(const std::string& what);
  bool fail_stream(VMTaskResult result, const std::string& what);
  bool fail_corrupted();
  void report(const TransferReport& report);
  void give_back(std::shared_ptr<GuestMemory> memory);

  const TransferOrder order_;
  const Site site_;
  MemoryBudget& budget_;
  Workers& workers_;
  const ReportTransfer report_;

  Signal signal_;
  std::mutex mutex_;
  bool ready_ = false;  // a connection may come
  Fd socket_;           // accepted, not yet taken by the thread
  bool connected_ = false;
  std::optional<Image> image_;  // complete
  bool taken_ = false;
  std::optional<TransferReport> last_report_;

  // ---- of its thread ----
  std::optional<Channel> channel_;
  std::shared_ptr<GuestMemory> memory_;
  std::optional<DeviceState> state_;
  pb::TransferRelease release_;
  bool released_ = false;
  std::uint64_t received_bytes_ = 0;
  // Reused.
  std::vector<std::byte> bytes_;
  std::vector<PageRun> runs_;
  std::vector<iovec> pieces_;
  std::vector<std::uint64_t> seals_;
};

}  // namespace failsim::node
