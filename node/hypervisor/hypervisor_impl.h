// The hypervisor of a node process: the guest thread, the data port, and one thread for each
// transfer under way.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "node/hypervisor/data_listener.h"
#include "node/hypervisor/guest_scheduler.h"
#include "node/hypervisor/hypervisor.h"
#include "node/hypervisor/kept_pages.h"
#include "node/hypervisor/memory_budget.h"
#include "node/hypervisor/threads.h"
#include "node/hypervisor/transfer_source.h"
#include "node/hypervisor/transfer_target.h"
#include "node/hypervisor/volume_port.h"

namespace failsim::node {

// What a test or a benchmark puts in the place of the world.
struct HypervisorSeams {
  std::shared_ptr<VolumePort> volume;
  // Called with the memory of each image that has arrived here, before it is held.
  std::function<void(GuestMemory&)> image_fault;
};

class HypervisorImpl : public Hypervisor {
 public:
  static Result<std::unique_ptr<HypervisorImpl>> open(const HypervisorConfig& config,
                                                      HypervisorSeams seams, Report report);
  ~HypervisorImpl() override;

  void order(const GuestOrder& order) override;
  void order(const TransferOrder& order) override;
  void set_lease(Time until) override;
  pb::PeerMessage::LiveReply live(const std::string& vm, NodeId target = kNoNode) const override;
  void stop_guests() override;
  void keep_pages_if(const MayReturn& may_return) override { kept_.drop_unless(may_return); }
  void set_memory_pressure(std::uint64_t bytes) override { budget_.set_pressure(bytes); }

  // Not in use by guests or reservations; of that, what still holds pages of VMs that have left.
  std::uint64_t free_memory() const { return budget_.free(); }
  std::uint64_t kept_memory() const { return budget_.kept(); }

 private:
  // The transfer of a VM; one of the two.
  struct Transfer {
    std::shared_ptr<TransferSource> source;
    std::shared_ptr<TransferTarget> target;
    const TransferOrder& order() const { return source ? source->order() : target->order(); }
    void drop();
  };

  HypervisorImpl(const HypervisorConfig& config, HypervisorSeams seams, Report report);

  void begin_or_advance(const TransferOrder& order);
  void start_source(const TransferOrder& order);
  void start_target(const TransferOrder& order);
  void drop(const TransferOrder& order);
  void learn_link(const TransferSource& source);
  bool accept(const pb::TransferHello& hello, Fd& socket);
  std::optional<Image> take_image(const std::string& vm, TaskId job, std::uint64_t attempt,
                                  std::string& why);
  ReportTransfer transfer_reporter();
  void note_transfer(const TransferOrder& order, bool held) const;

  const HypervisorConfig config_;
  const HypervisorSeams seams_;
  const Report report_;
  MemoryBudget budget_;
  Workers workers_;
  KeptPages kept_;
  std::atomic<bool> stopped_ = false;

  mutable std::mutex mutex_;
  std::map<std::string, Transfer> transfers_;
  std::map<NodeId, std::uint64_t> link_rates_;  // as the last transfer that was not limited saw it

  std::unique_ptr<GuestScheduler> scheduler_;
  ThreadGroup threads_;
  std::unique_ptr<DataListener> listener_;
};

}  // namespace failsim::node
