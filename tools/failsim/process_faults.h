// The faults that only the parent of the processes can perform: it kills, stops and starts them.
//
// Part of the supervisor and on its thread. Every fault has a lease and is undone when that is
// over, when it is healed, or when the supervisor stops; the order of the same number again begins
// a new lease. What a node process does itself is told to that node (node/faults/).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cluster/fault/order.h"
#include "storage/failpoint_board.h"
#include "tools/failsim/json.h"
#include "tools/failsim/packet_faults.h"
#include "tools/failsim/store_damage.h"

namespace failsim::cli {

// Whether the launcher performs faults of this kind, alone or (disk-fail) the end of them.
bool is_fault_of_launcher(std::string_view kind);
// Whether node processes perform it.
bool is_fault_of_nodes(std::string_view kind);
// What processes cannot do of the terms of a failpoint; nothing if they can, or it is none.
std::optional<Error> terms_refused_by_processes(const fault::Order& order);

class ProcessFaults {
 public:
  using Clock = std::chrono::steady_clock;

  struct Outside {
    // The process of "node-K" or "volume"; nothing if it has ended.
    std::function<std::optional<pid_t>(const std::string& child)> process;
    std::function<void(const std::string& node)> start;
    // The directory of a node's store.
    std::function<std::filesystem::path(const std::string& node)> store;
    // {what, fault, order, by}, for the events of the cluster.
    std::function<void(json::object note)> note;
    std::function<Clock::time_point()> now;
    FailpointBoard* board = nullptr;  // outlives it
    PacketFaults* packets = nullptr;  // likewise; null where the processes have one network
  };

  explicit ProcessFaults(Outside outside) : outside_(std::move(outside)) {}

  std::uint64_t next_id() { return ++last_id_; }
  // Whether it performs faults of this kind instead of the node processes.
  bool performs_on_packets(std::string_view kind) const {
    return outside_.packets != nullptr && outside_.packets->performs(kind);
  }
  // The order has to name nodes that run. Throws a Failure if they do not, or it is none of these,
  // or was healed (kOperationAborted).
  json::object inject(std::uint64_t id, const std::string& order_line, const std::string& by);
  json::array list() const;
  // The healed ones; all of them if there is no number.
  json::array heal(std::optional<std::uint64_t> id);
  // Undoes those whose lease is over. To be called again at next_look().
  void end_due();
  std::optional<Clock::time_point> next_look() const;

  // A child was reaped; true if the cluster is not to be told so.
  bool child_ended(const std::string& child, pid_t process, int exit_status);

 private:
  struct Victim {
    std::string child;
    pid_t process = 0;
  };
  struct Fault {
    std::uint64_t id = 0;
    fault::Order order;
    std::string by;
    Clock::time_point until;
    std::vector<Victim> victims;
    bool has_ended = false;  // but a victim is still on its way out
    std::optional<Clock::time_point> next_turn = std::nullopt;  // of a crash-loop
    std::vector<FlippedBit> flipped = {};
  };

  std::vector<Victim> victims_of(const fault::Order& order) const;
  void perform(Fault& fault);
  void damage_stores(Fault& fault);
  void take_turn(Fault& fault);
  // False if a victim has to end first.
  bool undo(const Fault& fault);
  bool mend_stores(const Fault& fault);
  void add(Fault fault);
  void take_notes();
  void node_killed_itself(const std::string& child, Duration lease);
  void finish(Fault& fault, const char* what);
  void remove_undone();
  void note(const Fault& fault, const char* what);
  json::object shown(const Fault& fault) const;

  const Outside outside_;
  std::uint64_t last_id_ = 0;
  std::vector<Fault> faults_;
  std::set<std::uint64_t> healed_;
  std::set<pid_t> silent_;      // whose end is not told
  std::set<pid_t> failing_;     // which are started again when they end
  std::set<pid_t> restarting_;  // likewise, whatever they end with
};

}  // namespace failsim::cli
