// The named points of a cluster of processes, in a file that all of them map: what is armed, how
// often each point was passed, and which terms are used up. So `1*kill` means once in the whole
// cluster, also when the process that was killed comes back.
//
// The launcher creates the file and arms; node processes pass. Nothing of it is durable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "cluster/fault/failpoint.h"
#include "cluster/fault/order.h"
#include "cluster/ids.h"
#include "cluster/time.h"

namespace failsim {

class FailpointBoard {
 public:
  // A new and empty one in the directory; whoever has mapped a former one keeps that.
  static Result<std::unique_ptr<FailpointBoard>> create(const std::string& directory);
  // The one in the directory; created if there is none.
  static Result<std::unique_ptr<FailpointBoard>> open(const std::string& directory);
  ~FailpointBoard();
  FailpointBoard(const FailpointBoard&) = delete;
  FailpointBoard& operator=(const FailpointBoard&) = delete;

  // ---- the launcher ----
  // Arms the terms of a failpoint under a number; the same number again is the same failpoint, with
  // what is left of its terms. kClusterBusy when the file is full.
  std::optional<Error> arm(std::uint64_t id, const fault::Order& order);
  void disarm(std::uint64_t id);
  // How often its point was passed since it was armed, and how often a term of it was performed.
  struct Counts {
    std::uint64_t hits = 0;
    std::uint64_t performed = 0;
  };
  Counts counts(std::uint64_t id) const;

  // ---- a node process ----
  struct Drawn {
    std::uint64_t id = 0;
    fault::Term term;
    Duration lease = 0;  // of the failpoint
  };
  // Counts the passage and gives the terms that apply to it now. `random_below(n)` draws.
  std::vector<Drawn> pass(fault::PointId point,
                          const std::function<std::uint64_t(std::uint64_t)>& random_below);

  // ---- between the two ----
  // What a process does to itself at a point, and its launcher has to know: it was killed, and how
  // long it is to stay down; it stopped, and when it is to continue.
  enum class End : std::uint32_t { kNone, kKilled, kStopped };
  struct Victim {
    End end = End::kNone;
    std::uint64_t process = 0;
    Duration duration = 0;
  };
  void leave_note(NodeId node, const Victim& victim);
  // The note of this kind is taken away.
  Victim take_note(NodeId node, End kind);
  static constexpr NodeId kNodesMax = 64;  // others leave no notes

 private:
  struct Shared;
  explicit FailpointBoard(Shared* shared) : shared_(shared) {}
  static Result<std::unique_ptr<FailpointBoard>> map(const std::string& path, int flags);

  Shared* const shared_;
};

}  // namespace failsim
