// The judge of a run: hands each fact to the checkers whose rule it concerns.
//
// There is one of it: the virtual world asks it while it runs, `failsim check` when it reads a
// history, and both come to the same findings.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "cluster/crash_invariants.h"
#include "cluster/invariants.h"
#include "tools/report/fact.h"

namespace failsim::history {

// A rule that a run can be held to.
struct Rule {
  std::string_view label;
  std::string_view text;
};
std::span<const Rule> rules();

class Judge {
 public:
  // Time never falls.
  void take(Time now, const Fact& fact);
  const invariants::Findings& findings() const { return findings_; }

 private:
  void judge(const ClusterFormed& fact);
  void judge(const DetectionTime& fact);
  void judge(const ProcessStarted& fact);
  void judge(const ProcessEnded& fact);
  void judge(const ProcessStopped& fact);
  void judge(const ProcessContinued& fact);
  void judge(const Leads& fact);
  void judge(const Appended& fact);
  void judge(const Committed& fact);
  void judge(const Stored& fact);
  void judge(const Synced& fact);
  void judge(const StateHash& fact);
  void judge(const RowsReplaced& fact);
  void judge(const EventApplied& fact);
  void judge(const TaskRow& fact);
  void judge(const VmRow& fact);
  void judge(const Executes& fact);
  void judge(const Stops& fact);
  void judge(const RoundEnded& fact);
  void judge(const ImageVerified& fact);
  void judge(const MemoryUsed& fact);
  void judge(const VolumeRecord& fact);
  void judge(const FaultInjected& fact);
  void judge(const FaultHealed& fact);
  void judge(const LinkChanged& fact);
  void judge(const WriteBegan& fact);
  void judge(const WriteAcknowledged& fact);
  void judge(const WriteRefused& fact);
  void judge(const ReadSaw& fact);
  void judge(const Answered& fact);
  void judge(const Held& fact);
  void judge(const Expectation& fact);
  // Facts that no rule is about.
  void judge(const Sent&) {}
  void judge(const Received&) {}
  void judge(const Violated&) {}

  void note_writer(NodeId replica, const pb::EventRecord& event);
  void event_first_seen(const pb::EventRecord& event);

  Time now_ = 0;
  invariants::Findings findings_;
  invariants::Elections elections_;
  invariants::Logs logs_;
  invariants::Executions executions_;
  invariants::QuorumContact quorum_contact_;
  invariants::Ownership ownership_;
  invariants::MigrationEdges migration_edges_;
  invariants::MigrationEnds migration_ends_;
  invariants::Rounds rounds_;
  invariants::Jobs jobs_;
  invariants::Answers answers_;
  invariants::StateHashes state_hashes_;
  invariants::Journals journals_;
  invariants::Events events_;
  invariants::Stores stores_;
  invariants::Failovers failovers_;
  std::map<std::string, invariants::Register> registers_;
  std::set<std::pair<NodeId, std::string>> written_by_client_;
  std::uint64_t last_event_ = 0;
};

}  // namespace failsim::history
