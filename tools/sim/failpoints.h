// The named points of a world: how often each was passed, and what is armed there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/fault/failpoint.h"
#include "cluster/ids.h"
#include "cluster/random.h"
#include "cluster/time.h"

namespace failsim::sim {

// What comes of passing points, for the process that passes them.
struct Passing {
  bool is_dropped = false;           // the message is lost
  Duration hang = 0;                 // its loop stands still for so long
  std::optional<std::string> error;  // the write fails
};

class Failpoints {
 public:
  using Id = std::uint64_t;
  // Performs a term at a point that a node passes with a VM.
  using Perform = std::function<void(const fault::Term&, fault::PointId, NodeId,
                                     const std::string& vm, Passing&)>;

  explicit Failpoints(std::uint64_t seed) : random_(seed), hits_(fault::point_names().size(), 0) {}

  Id arm(fault::PointId point, std::vector<fault::Term> terms, Perform perform);
  void disarm(Id id);

  // A node passes these points. The node may be dead afterwards.
  Passing pass(NodeId node, const std::vector<fault::Passage>& passages);

  std::uint64_t hits(fault::PointId point) const { return hits_[point]; }

 private:
  struct Armed {
    fault::PointId point = 0;
    std::vector<fault::Term> terms;
    std::vector<std::uint32_t> used;  // of each term
    Perform perform;
  };
  // The term that applies now; null if none does.
  const fault::Term* draw(Armed& armed);

  Random random_;
  std::vector<std::uint64_t> hits_;
  std::map<Id, Armed> armed_;
  Id last_ = 0;
};

}  // namespace failsim::sim
