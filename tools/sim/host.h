// The virtual hypervisor of one node process: its guests, its transfers, their memory.
//
// It does what node/hypervisor does in the process world, for the same orders and with the same
// reports. It lives and dies with its process; a stopped process (SIGSTOP) does nothing, and what
// happened meanwhile is done when it continues.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "cluster/effects.h"
#include "cluster/ids.h"
#include "cluster/invariants.h"
#include "cluster/mistakes.h"
#include "cluster/random.h"
#include "cluster/time.h"
#include "tools/report/observer.h"
#include "tools/sim/clock.h"
#include "tools/sim/event_queue.h"
#include "tools/sim/host_faults.h"
#include "tools/sim/network.h"
#include "tools/sim/shared_volume.h"

namespace failsim::sim {

class GuestRunner;
class Receiver;
class Sender;
class Host;

// Of every host of a world.
struct HostQuality {
  Duration quantum = 10 * kMillisecond;  // of a guest: one value of its counter
  std::uint64_t link_bytes_per_second = std::uint64_t{1} << 30;
  std::uint64_t prepare_bytes_per_second = std::uint64_t{1} << 30;
};

// What a host is given of its world; all of it outlives the host.
struct HostWorld {
  EventQueue& queue;
  Network& network;
  SharedVolume& volume;
  history::Observer& observer;
  const HostQuality& quality;
  const DirtyRates& dirty_rates;
  std::function<std::shared_ptr<Host>(NodeId)> host_of;  // null when no process runs there
  [[no_unique_address]] Mistakes mistakes;
};

// The machine of a host; it outlives the process.
struct Machine {
  Clock clock;
  HostFaults faults;
  Duration stop_delay = 0;  // how much longer a process takes that was asked to end
  int other_versions = 0;   // faults by which it speaks another version of the protocol
};

class Host : public std::enable_shared_from_this<Host> {
 public:
  using Report = std::function<void(Event)>;

  Host(HostWorld world, Machine& machine, NodeId self, Incarnation incarnation,
       std::uint64_t memory_bytes, std::uint64_t random_seed, Report report);
  ~Host();

  void order(const TransferOrder& order);
  void order(const GuestOrder& order);
  // On the clock of the machine.
  void set_lease(Time until) { lease_until_ = until; }
  // After the orders of one step, and when the clock changes: guests start and stop executing.
  void settle();
  void stop_guests();
  void suspend();
  void resume();

  invariants::Holdings holdings() const;
  // The guest of this VM has memory here. Its counter, 0 if it has none.
  bool has_guest(const std::string& vm) const;
  std::uint64_t counter(const std::string& vm) const;
  bool is_executing(const std::string& vm) const;
  HostFaults& faults() { return machine_.faults; }
  // The guest stops by itself; false if none is here.
  bool crash_guest(const std::string& vm);
  // The rates of dirty_rates have changed.
  void dirty_rate_changed(const std::string& vm);

  // ---- for its guests and transfers ----
  Time now() const { return world_.queue.now(); }
  // In true time.
  Time lease_until() const { return machine_.clock.when(lease_until_); }
  bool is_suspended() const { return is_suspended_; }
  NodeId self() const { return self_; }
  handover::Process process() const { return {self_, incarnation_}; }
  bool makes(Mistake mistake) const { return world_.mistakes.has(mistake); }
  Mistakes mistakes() const { return world_.mistakes; }
  const HostQuality& quality() const { return world_.quality; }
  const DirtyRates& dirty_rates() const { return world_.dirty_rates; }
  history::Observer& observer() { return world_.observer; }
  Random& random() { return random_; }
  void report(Event event) { report_(std::move(event)); }
  // In this process, unless it is dead by then; when it is stopped, once it continues.
  void later(Duration delay, std::function<void()> action);
  void ask_volume(pb::VolumeRequest request, std::function<void(const pb::VolumeReply*)> answered);
  // The number of the connection on which data to the peer goes now.
  std::uint64_t connection_to(NodeId peer) const;
  // On the node `peer`, in order; `lost` here when the connection broke or nobody listens there.
  void send_data(NodeId peer, std::uint64_t bytes, std::function<void(Host&)> arrive,
                 std::function<void()> lost);
  // What passes in a second at most: a full connection slows its sender down.
  std::uint64_t data_rate_to(NodeId peer) const {
    return world_.network.rate(self_, peer, Traffic::kData);
  }
  bool reserve(std::uint64_t bytes);  // false if the memory of the node does not suffice
  void release(std::uint64_t bytes);
  GuestRunner* runner(const std::string& vm);
  Sender* sender(const std::string& vm, TaskId job, std::uint64_t attempt);
  Receiver* receiver(const std::string& vm, TaskId job, std::uint64_t attempt);
  bool has_sender(const std::string& vm, TaskId job) const;
  // Whether the memory of a guest that a transfer has paused goes to who serves its pages.
  bool keeps_pages(const std::string& vm, TaskId held_by, std::uint64_t bytes);

 private:
  void run(std::function<void()> action);

  const HostWorld world_;
  Machine& machine_;
  const NodeId self_;
  const Incarnation incarnation_;
  const std::uint64_t memory_bytes_;
  Random random_;
  const Report report_;
  Time lease_until_ = 0;
  bool is_suspended_ = false;
  std::uint64_t used_bytes_ = 0;
  std::deque<std::function<void()>> postponed_;  // while suspended
  std::map<std::string, std::unique_ptr<GuestRunner>> runners_;
  std::map<std::string, std::unique_ptr<Sender>> senders_;
  std::map<std::string, std::unique_ptr<Receiver>> receivers_;
};

}  // namespace failsim::sim
