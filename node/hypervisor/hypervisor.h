// Everything of a node that executes guests: their memory, the guest thread, and the data path of
// live migrations. The event loop hands it desired states and hears reports.
//
// Orders are levels; they are performed in the order in which they are given. What they mean here:
//  - Every GuestOrder is answered with a GuestReport of the condition at that moment, and every
//    change of condition is reported after it. RUNNING is reported at the first quantum, so never
//    without a lease; FROZEN when the guest has stopped and its disk has answered everything. The
//    end of the lease stops a guest without changing its condition.
//  - The guest of another boot is destroyed first. An order for the same boot never starts it
//    afresh; a new epoch of the same boot is registered before the guest executes again.
//  - From kFinish on, the source's guest is held. It executes again only when kDrop of that
//    transfer has been given and, after it, another GuestOrder that wants it running; a lease, the
//    failure of the transfer, or an order before the drop does not thaw it.
//  - kDrop at the target destroys an image that no GuestOrder has taken: a GuestOrder with
//    ORIGIN_IMAGE must come first. RESUMED and VERIFIED are reported even after the drop.
//  - A transfer of the same VM with another job, attempt or role replaces the one before.
//  - TRANSFER_VERIFIED with DIGEST_UNKNOWN: the guest was stopped before all pages were checked.
//
// Threads: order(), set_lease(), live(), keep_pages_if() and stop_guests() are called from the
// event loop and return at once; `report` is called from the hypervisor's own threads, which must
// only post it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "cluster/effects.h"
#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/proto/message.pb.h"
#include "cluster/time.h"

namespace failsim {
class ObservationLog;  // storage/observations.h
}

namespace failsim::node {

class HypervisorFaults;  // fault_seam.h

struct HypervisorConfig {
  NodeId self = kNoNode;
  std::uint64_t cluster_id = 0;
  std::string address;             // data port listens here; peers are asked by peer_address
  std::uint16_t data_port = 6600;  // TCP port of Hyper-V live migration
  std::function<std::string(NodeId)> peer_address;
  std::string volume_address;  // of the shared volume process
  std::uint16_t volume_port = 3260;
  std::uint64_t memory_bytes = 0;          // what guests and reservations may use
  HypervisorFaults* faults = nullptr;      // outlives the hypervisor; null: nothing is ever broken
  Incarnation incarnation = 0;             // of this process, said to the volume
  ObservationLog* observations = nullptr;  // outlives the hypervisor; null: nobody watches
};

class Hypervisor {
 public:
  using Report = std::function<void(std::variant<GuestReport, TransferReport>)>;

  // Opens the data port; an error says which address and port were refused and why.
  static Result<std::unique_ptr<Hypervisor>> open(const HypervisorConfig& config, Report report);
  virtual ~Hypervisor() = default;

  virtual void order(const GuestOrder& order) = 0;
  virtual void order(const TransferOrder& order) = 0;
  // Guests execute only while CLOCK_BOOTTIME is before `until`; each compares it itself at the
  // start of every quantum.
  virtual void set_lease(Time until) = 0;
  // What is true this moment; `token` is left 0.
  virtual pb::PeerMessage::LiveReply live(const std::string& vm, NodeId target = kNoNode) const = 0;
  // Stops every guest and transfer; returns when none can execute any more.
  virtual void stop_guests() = 0;
  // Of VMs that have left with a migration the pages are kept, for as long as there is room and
  // this boot of the VM may come back; asked on the caller's thread.
  using MayReturn = std::function<bool(const std::string& vm, std::uint64_t boot_id)>;
  virtual void keep_pages_if(const MayReturn& may_return) = 0;
  // So much of the memory is taken by somebody else; what guests have already they keep.
  virtual void set_memory_pressure(std::uint64_t bytes) = 0;
};

// CLOCK_BOOTTIME, never falling: the one clock of a node process.
Time boottime_now();

// For the fault clock-drift alone: from now on the clock gains (negative: loses) so many
// millionths; what it gained before it keeps. The clock as the kernel has it, and the time by it at
// which this process will read `at`.
void set_clock_drift(std::int64_t ppm);
Time true_boottime_now();
Time true_boottime_of(Time at);

}  // namespace failsim::node
