// The faults that were put in force in one process, each for its lease.
//
// A fault ends when its lease is over, whether or not anybody looks; before that when it is healed,
// or when it has done what it was to do once. The same order under the same number begins a new
// lease, from whoever is still alive to say so; what was healed is not renewed.
//
// What a fault means is for the switchboard to say. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/error.h"
#include "cluster/fault/order.h"
#include "cluster/ids.h"
#include "cluster/time.h"
#include "node/faults/reach.h"

namespace failsim::node {

struct FaultInForce {
  std::uint64_t id = 0;
  fault::Order order;
  std::string by;
  Time since = 0;
  Time until = 0;
};

class LeasedFaults {
 public:
  struct Rule {
    FaultInForce fault;
    Reach reach;                      // without the VMs that a guest-crash has hit already
    std::uint64_t written_bytes = 0;  // since it began, of a disk-fail
    bool is_used_up = false;
  };

  // `clock` is that of leases.
  explicit LeasedFaults(std::function<Time()> clock) : clock_(std::move(clock)) {}

  // Puts a fault in force at the node `self` from now for its lease, or renews it. Errors:
  // kInvalidState: another fault has the number; kOperationAborted: it was healed.
  Result<FaultInForce> inject(std::uint64_t id, const fault::Order& order, const std::string& by,
                              NodeId self, Reach reach);
  // Ends the fault; nothing if there is none of this number.
  std::optional<FaultInForce> heal(std::uint64_t id);
  // Ends everything, and nothing is ever in force again.
  void close() { is_closed_ = true; }
  bool is_closed() const { return is_closed_; }

  std::vector<FaultInForce> in_force() const;
  // Those that have ended by themselves, told once.
  std::vector<FaultInForce> take_ended();
  std::uint64_t highest_id() const { return highest_id_; }

  // In the order in which they began; one that has ended is among them until it is told.
  const std::vector<Rule>& rules() const { return rules_; }
  std::vector<Rule>& rules() { return rules_; }
  bool is_in_force(const Rule& rule) const;
  // The first of this kind that is in force; null if there is none.
  const Rule* find(std::string_view kind) const;
  Rule* find(std::string_view kind) {
    return const_cast<Rule*>(static_cast<const LeasedFaults*>(this)->find(kind));
  }
  // Whether the number is that of a fault that was not told as ended yet.
  bool knows(std::uint64_t id) const;
  Time now() const { return clock_(); }

 private:
  const std::function<Time()> clock_;
  std::vector<Rule> rules_;
  std::set<std::uint64_t> healed_;
  std::uint64_t highest_id_ = 0;
  bool is_closed_ = false;
};

}  // namespace failsim::node
