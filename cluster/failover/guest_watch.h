// What a leader makes of what owners say about their guests: the next step of an operation, the
// failure of one, or the restart of a guest that was lost.
//
// Owners repeat what they say while it matters, so a report is forgotten whenever the VM's row
// changes, and one that belongs to another owner, process, epoch or boot changes nothing.
#pragma once

#include <map>
#include <set>
#include <string>

#include "cluster/failover/decision.h"
#include "cluster/ids.h"
#include "cluster/proto/message.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim {

class GuestWatch {
 public:
  // This member was elected, with everything up to `applied` in its state.
  void elected(Index applied);
  // The VM's row was changed by this entry; `exists`: it was not erased.
  void vm_changed(const std::string& vm, Index index, bool exists);
  // This process of a node, which has applied everything up to `applied`, says how its guest is.
  // Returns whether that counts: a failure does not if the node did not know the row as it is.
  bool report(NodeId from, Incarnation incarnation, const pb::PeerMessage::Report::Guest& guest,
              Index applied);

  void decide(Decision& decision, const pb::Vm& vm);
  // Adds the VMs whose guest was lost and is started again when a while has passed.
  void add_waiting(std::set<std::string>& vms) const;

 private:
  struct Said {
    NodeId from = kNoNode;
    Incarnation incarnation = 0;
    pb::PeerMessage::Report::Guest guest;
  };

  void decide_lost(Decision& decision, const pb::Vm& vm, const Said& said);

  std::map<std::string, Said> said_;         // by VM
  std::map<std::string, Index> changed_at_;  // last change of a VM's row since the election
  Index elected_at_ = 0;                     // what was applied then
  std::map<std::string, Time> retry_at_;     // VMs that could not be started
};

}  // namespace failsim
