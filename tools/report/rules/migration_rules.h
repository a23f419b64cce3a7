// S3, S4, S5, S6, S13, S20, L9, slots: who owns a VM, its migrations and their jobs.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "cluster/invariants.h"
#include "cluster/slot_invariants.h"
#include "tools/report/rules/standing.h"

namespace failsim::history {

class MigrationRules {
 public:
  explicit MigrationRules(Standing& standing) : standing_(standing) {}

  void take(const ProcessStarted& fact) { restarted(fact.node); }
  void take(const RowsReplaced& fact) { restarted(fact.node); }
  void take(const EventApplied& fact);
  void take(const TaskRow& fact);
  void take(const VmRow& fact);
  void take(const CancelAccepted& fact) { cancels_.accepted(fact.job, standing_.findings); }
  void take(const RoundEnded& fact);
  void take(const SlotsFormed& fact) { slots_.limit(fact.most); }

 private:
  void restarted(NodeId replica);
  void note_writer(NodeId replica, const pb::EventRecord& event);
  void event_first_seen(const pb::EventRecord& event);
  void job_stepped(const pb::EventRecord& event);
  void slots_changed(const pb::EventRecord& event);

  Standing& standing_;
  invariants::Ownership ownership_;
  invariants::MigrationEdges migration_edges_;
  invariants::MigrationEnds migration_ends_;
  invariants::Rounds rounds_;
  invariants::Jobs jobs_;
  invariants::Cancels cancels_;
  invariants::Slots slots_;
  std::set<std::pair<NodeId, std::string>> written_by_client_;
};

}  // namespace failsim::history
