// What may happen at a moment of a migration: a request about it, or something breaks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/ids.h"

namespace failsim::matrix {

// The nodes of the case. The leader is a node of its own or one of the sides.
struct Sides {
  NodeId source = kNoNode;
  NodeId target = kNoNode;
  NodeId leader = kNoNode;
  NodeId third = kNoNode;  // neither source nor target
};

// What is lost with it: what the rules know.
enum class Loss {
  kNothing,
  kMoment,  // a node stands still for less than the detection time
  kSource,  // the source dies, is taken for dead, or hears and is heard by nobody
  kTarget,
  kLeader,
  kDataLink,      // what the source sends to the target
  kDataLinkBack,  // only the way back
  kControlLink,   // between the sides, one way or both
  kSidesLink,     // all of it, the way to the target at least
  kSidesLinkBack,
  kSourceLeader,  // the link between them, one way or both
  kTargetLeader,
  kSourceDisk,  // the next write fails, and with it the node
  kTargetDisk,
  kMemory,  // of the target
  kVolume,
  kQuorum,
  kControl,    // every control link: nobody can order anything, and pages still pass
  kPasser,     // whoever passes the point stands still for longer than the detection time
  kPasserDisk  // its write at the point fails
};
inline constexpr std::size_t kLosses = 20;
std::string_view name(Loss loss);

enum class Ask {
  kNothing,
  kCancel,
  kTerminate,
  kKill,
  kSuspend,  // and Start, a few seconds later
  kStart
};

struct Disturbance {
  std::string name;  // "kill source", unique
  Loss loss = Loss::kNothing;
  Ask ask = Ask::kNothing;
  // Orders of faults; SOURCE, TARGET, LEADER and THIRD stand for the names of nodes.
  std::vector<std::string> orders = {};
  // Or a term of a failpoint, for whoever passes the point: only where the point takes it.
  std::string term = {};
};

// All of them, in the order of the table.
const std::vector<Disturbance>& disturbances();
// Null if there is none of this name.
const Disturbance* find_disturbance(std::string_view name);
// An order about these nodes.
std::string order_for(const std::string& order, const Sides& sides);

}  // namespace failsim::matrix
