// A scenario: a cluster, what people do to it, what breaks, and what has to come of it. The same
// file runs in virtual time and on real processes, with the same verdict.
//
// This is the parsed form. It is written by hand (tests/scenarios), recorded from an interactive
// session, or drawn from a seed by the search, which also makes it smaller; all are run by the same
// runners. docs: tools/scenario/README.md describes the language.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cluster/fault/order.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"
#include "tools/scenario/action.h"
#include "tools/scenario/condition.h"

namespace failsim::scenario {

inline constexpr std::uint32_t kVersion = 1;  // of the language; another one is refused

// Where something stands in its file; 0 when it was not read from one.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// What clusters of scenarios are born with unless their settings say otherwise: a node is Down
// after 750 ms of silence. Everything else is at its default.
inline const std::map<std::string, std::string> kSettings = {{"SameSubnetDelay", "250"},
                                                             {"SameSubnetThreshold", "3"}};

// The cluster, and what the virtual world is made of. On processes the machine decides the latter.
struct Topology {
  std::uint32_t nodes = 3;
  std::uint64_t node_memory_bytes = std::uint64_t{4} << 30;
  // The node that leads the log when the steps begin; empty: any. Leaders that are not it are
  // stopped for a while before there are VMs.
  std::string leader;
  Position leader_position;
  // Cluster properties at birth, beside those of kSettings.
  std::map<std::string, std::string> settings;
  // Virtual only.
  Duration link_delay_min = 200 * kMicrosecond;
  Duration link_delay_max = 1 * kMillisecond;
  std::uint32_t link_loss_per_mille = 0;
  std::uint32_t link_duplicate_per_mille = 0;
  std::uint64_t link_bytes_per_second = std::uint64_t{1} << 30;
  Duration disk_sync_min = 100 * kMicrosecond;
  Duration disk_sync_max = 2 * kMillisecond;
  Duration guest_quantum = 10 * kMillisecond;
  std::uint64_t prepare_bytes_per_second = std::uint64_t{1} << 30;  // how long Setup takes
  std::uint64_t compact_every = 10'000;
};

// A VM that exists, and runs if `start`, before the first step.
struct Vm {
  std::string name;
  std::string owner;  // a node's name; empty: the cluster places it
  pb::VmConfig config;
  bool start = true;
  Position position;
};

// ---- Steps --------------------------------------------------------------------------------------

// An operator's action must be accepted, may be refused, or must be refused with a code.
struct Do {
  Action action;
  enum class Answer { kAccepted, kAny, kRefused } answer = Answer::kAccepted;
  std::string code;  // kRefused: the symbolic name, "ERROR_INVALID_STATE"; empty: any error
};
struct Inject {
  fault::Order order;
  std::string label;  // for Heal; may be empty
};
struct Heal {
  std::string label;  // empty: all
};
// Holds at once or within the time.
struct Expect {
  Condition condition;
  Duration within = 0;
};
// Holds now and for all of the time.
struct Hold {
  Condition condition;
  Duration throughout = 0;
};
// Time passes.
struct Pause {
  Duration duration = 0;
};

using Effect = std::variant<Do, Inject, Heal, Expect, Hold, Pause>;

// Steps are performed one after another: each begins when its trigger holds and the step before has
// ended. Do ends with the answer, not with the task, or at once if any answer will do; Inject at once; Expect when the condition
// holds; Hold and Pause after their time.
struct Step {
  std::optional<Time> at;         // not before this time since the cluster was ready; never falls
  std::optional<Condition> when;  // not before this holds ...
  Duration when_within = 30 * kSecond;  // ... which has to happen in time (else: inconclusive)
  Effect effect;
  Position position;
};

// Runs beside the steps: whenever the condition becomes true (at most `times` times), after a
// delay. One whose condition never came is fine.
struct Reaction {
  Condition when;
  Duration delay = 0;
  std::uint32_t times = 1;
  Effect effect;  // Do, Inject or Heal
  Position position;
};

// ---- The whole ----------------------------------------------------------------------------------

struct Scenario {
  std::string file;      // where it was read from; empty if it was not
  std::string name;      // of its folder
  std::string sentence;  // what it shows: the first line of its README
  std::uint64_t seed = 1;
  Topology topology;
  std::vector<Vm> vms;
  std::uint32_t writers = 0;  // clients that write and read back unique property values (S7)
  std::vector<Step> steps;
  std::vector<Reaction> reactions;
  // After the last step: faults are healed, and within this time the cluster has to be whole (L1,
  // L2, ...). 0: not asked.
  Duration recovery = 20 * kSecond;
  // Nodes that stay broken in the recovery: the liveness of a damaged but sufficient core.
  std::vector<std::string> left_broken;
  Position left_broken_position;
  bool virtual_only = false;  // with the reason in the README
  std::string plant;          // a planted mistake, in builds that have them
  Position plant_position;
};

}  // namespace failsim::scenario
