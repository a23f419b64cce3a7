// Whether a recorded history of VMs changes hands only as handover_steps.inc allows it.
//
// Like the checkers of cluster/invariants.h: fed with what happened, in the order of one global
// clock; a step that is not allowed becomes a Violation "handover".
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "cluster/ids.h"
#include "cluster/invariants.h"
#include "cluster/migration/handover.h"
#include "cluster/time.h"

namespace failsim::invariants {

class HandoverTrace {
 public:
  explicit HandoverTrace(Findings& findings) : findings_(findings) {}

  void created(const std::string& vm, const handover::Process& owner, const Epoch& epoch);
  void deleted(const std::string& vm, Time now);

  // The lease of this process lasts until then.
  void leased(const handover::Process& process, Time until);
  // It is dead, or has stopped its guests for good: it executes nothing any more.
  void gone(const handover::Process& process, Time now);

  // The guest executes until it stops or until its lease is over; also when that is only moved.
  void executes(const std::string& vm, const handover::Process& process, const Epoch& epoch,
                Time now, Time until);
  void stops(const std::string& vm, const handover::Process& process, Time now);
  // Any other step. The leases of the action are filled in.
  void takes(const std::string& vm, handover::Action action, Time now);

  // What is agreed about the VM; null if nothing was ever said of it.
  const handover::Agreed* agreed(const std::string& vm) const;
  // At the end: this VM exists. One whose trace is empty, or that runs and never began to, was not
  // watched, and a history that nobody watched proves nothing.
  void expect_trace(const std::string& vm, bool runs);

 private:
  struct Followed {
    handover::Agreed agreed;
    handover::World world;
    Time runs_until = 0;  // of world.runner
    std::uint64_t steps = 0;
    bool has_executed = false;
  };

  void let_lease_end(Followed& followed, Time now);
  void take(const std::string& vm, Followed& followed, const handover::Action& action);
  bool is_leased(const handover::Process& process, Time now) const;

  Findings& findings_;
  std::map<std::string, Followed> vms_;
  std::map<handover::Process, Time> leases_;
  std::set<handover::Process> gone_;
};

}  // namespace failsim::invariants
