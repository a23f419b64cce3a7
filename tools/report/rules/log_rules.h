// raft, S8, S9: the replicated log, what the stores hold of it and what comes of it.
#pragma once

#include "cluster/crash_invariants.h"
#include "cluster/invariants.h"
#include "tools/report/rules/standing.h"

namespace failsim::history {

class LogRules {
 public:
  explicit LogRules(Standing& standing) : standing_(standing) {}

  void take(const ProcessStarted& fact) { logs_.restarted(fact.node); }
  void take(const Leads& fact) { elections_.leads(fact.node, fact.term, standing_.findings); }
  void take(const Appended& fact) { logs_.appended(fact.node, fact.position, standing_.findings); }
  void take(const Committed& fact) {
    logs_.committed(fact.node, fact.position, standing_.findings);
  }
  void take(const Stored& fact);
  void take(const Synced& fact) { stores_.synced(fact.node, fact.sequence); }
  void take(const DiskReplaced& fact) { stores_.replaced(fact.node); }
  void take(const StateHash& fact) {
    state_hashes_.state(fact.node, fact.index, fact.hash, standing_.findings);
  }

 private:
  Standing& standing_;
  invariants::Elections elections_;
  invariants::Logs logs_;
  invariants::Stores stores_;
  invariants::StateHashes state_hashes_;
};

}  // namespace failsim::history
