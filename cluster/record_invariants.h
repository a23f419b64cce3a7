// What must hold of what people are told: the state of a VM, the events of record, the frames of
// the wire, the processes themselves. In the manner of invariants.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "cluster/ids.h"
#include "cluster/invariants.h"
#include "cluster/proto/state.pb.h"

namespace failsim::invariants {

// S16: the state of a VM is what its guest is wanted to be: at rest it is Running, Paused, Saved or
// TurnedOff, and says nothing else than the order that stands.
void check_state_of_vm(const pb::Vm& vm, Findings& findings);

// S22: the events of record tell each transition once, from where the last one ended, and what they
// told last is what the row says.
class Transitions {
 public:
  // The replica has applied this event; all events of a step come before its rows.
  void event(NodeId replica, const pb::EventRecord& event, Findings& findings);
  void vm_row(NodeId replica, const pb::Vm& vm, std::uint32_t migration_state, Findings& findings);
  void node_row(NodeId replica, const pb::Node& node, Findings& findings);
  // What the replica has applied before is not known any more.
  void restarted(NodeId replica);

 private:
  // (replica, object, what of it)
  struct Place {
    NodeId replica = kNoNode;
    std::string object;
    std::string aspect;
    auto operator<=>(const Place&) const = default;
  };
  void moves(const Place& place, std::uint64_t number, std::uint64_t from, std::uint64_t to,
             Findings& findings);
  void compare(const Place& place, std::uint64_t row, Findings& findings) const;
  void forget_object(NodeId replica, const std::string& object);

  std::map<Place, std::uint64_t> told_;
};

// S21: a frame whose bytes were damaged on the way is thrown away where it arrives.
void check_damaged_frame(NodeId from, NodeId to, bool is_accepted, Findings& findings);

// S23: a process ends because somebody made it or because its disk failed, and says nothing that a
// sound one never says (`complaint`, one sentence; empty if it ended well).
void check_process(NodeId node, const std::string& complaint, Findings& findings);

}  // namespace failsim::invariants
