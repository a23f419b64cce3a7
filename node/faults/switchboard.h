// What the faults in force in one node process mean for whoever asks.
//
// Decorators at the seams of the node (faulty_*.h beside this file) ask it before they pass
// anything on. It exists only in a process that was started with `--faults`. Which of a fault is
// this node's affair stands in reach.h, how it begins and ends in leased_faults.h. Leases are
// counted by CLOCK_BOOTTIME as the kernel has it, whatever clock-drift does to this node's own
// clock.
//
// Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"
#include "cluster/fault/order.h"
#include "cluster/ids.h"
#include "cluster/random.h"
#include "cluster/time.h"
#include "node/faults/leased_faults.h"
#include "node/faults/reach.h"

namespace failsim::node {

// Values of the parameter `class`.
enum class Traffic { kHeartbeat = 1, kControl = 2, kData = 3 };

// What becomes of one message on a directed link; chances are drawn.
struct Passage {
  bool is_cut = false;
  bool is_held = false;
  bool is_lost = false;
  bool is_doubled = false;
  bool is_corrupt = false;
  Duration delay = 0;
  Duration overtaken = 0;  // later than others by this much
  std::uint64_t rate = 0;  // bytes a second; 0 = no limit
  bool is_clean() const;
};

enum class DiskError { kIoError, kNoSpace, kReadOnly };  // as the choices of disk-fail

class Switchboard {
 public:
  // `clock` is that of leases. `seed` is that of chances.
  Switchboard(std::function<Time()> clock, std::uint64_t seed);
  // Which node of which this is; to be said once, before the first fault and any other thread.
  void set_place(NodeId self, std::vector<NodeId> nodes);

  // ---- what is in force ----
  // Puts a fault in force from now for its lease, or renews it; refused for the reasons of
  // reach_of() and LeasedFaults::inject().
  Result<FaultInForce> inject(std::uint64_t id, const fault::Order& order, const std::string& by);
  // Ends the fault; nothing if there is none of this number.
  std::optional<FaultInForce> heal(std::uint64_t id);
  // Ends everything, and nothing is ever in force again: the process ends.
  void close();
  std::vector<FaultInForce> in_force() const;
  // Those whose lease has ended or that have done what they were to do once, told once.
  std::vector<FaultInForce> take_ended();
  std::uint64_t highest_id() const;

  // ---- what it means ----
  Passage passage(NodeId from, NodeId to, Traffic traffic);
  bool is_cut(NodeId from, NodeId to, Traffic traffic) const;
  bool is_held(NodeId from, NodeId to, Traffic traffic) const;
  // How often connections of this direction were reset so far.
  std::uint64_t resets(NodeId from, NodeId to, Traffic traffic) const;

  // Blocks while the disk is stalled and for the time a sync takes longer.
  void wait_for_disk(bool is_sync);
  // What a write of so many bytes fails with, if it does.
  std::optional<DiskError> write_error(std::uint64_t bytes);
  // Of a named point: every write from now on, until the process ends.
  void fail_writes(DiskError error);

  bool volume_refuses_writes() const;
  Duration volume_delay();

  Duration timer_lateness() const;
  Duration stop_delay() const;
  bool speaks_another_version() const;
  std::int64_t clock_drift_ppm() const;
  std::uint64_t memory_pressure_bytes() const;
  // Uses up a guest-fail for this step ("start", ...), a guest-crash of this VM, a forget-page.
  bool use_guest_failure(std::string_view step);
  bool use_guest_crash(const std::string& vm);
  bool use_forget_page();
  // Of a named point: whoever wants memory next is refused it, once.
  void refuse_memory_once();
  bool use_refused_memory();
  std::optional<std::uint64_t> dirty_rate(const std::string& vm) const;

  std::uint64_t random_below(std::uint64_t n);
  Time now() const { return faults_.now(); }

 private:
  using Rule = LeasedFaults::Rule;
  struct Reset {
    DirectedLink link;
    std::int64_t traffic;
  };

  void reset_links(Rule& rule);
  bool hits(const Rule& rule, NodeId from, NodeId to, Traffic traffic) const;
  Time stalled_until(std::string_view kind) const;
  Duration draw(Duration minimum, Duration maximum);
  bool happens(std::int64_t per_mille);

  NodeId self_ = kNoNode;
  std::vector<NodeId> nodes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  LeasedFaults faults_;
  Random random_;
  std::vector<Reset> resets_;
  std::optional<DiskError> writes_fail_;
  bool refuses_memory_ = false;
};

}  // namespace failsim::node
