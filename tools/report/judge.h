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
#include "cluster/migration/handover_trace.h"
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
  Judge() = default;
  Judge(const Judge&) = delete;  // its checkers know each other
  Judge& operator=(const Judge&) = delete;

  // Time never falls.
  void take(Time now, const Fact& fact);
  const invariants::Findings& findings() const { return findings_; }
  // What broke a rule while an assumption of it was broken: no fault of the product.
  const invariants::Findings& broken_assumptions() const { return broken_assumptions_; }
  // What is agreed about each VM: who follows the log names the next step by it.
  const invariants::HandoverTrace& handover() const { return handover_; }

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
  void judge(const LeaseLasts& fact);
  void judge(const GuestsStopped& fact);
  void judge(const Executes& fact);
  void judge(const Stops& fact);
  void judge(const GuestBegins& fact);
  void judge(const ImageOrdered& fact);
  void judge(const CancelAccepted& fact);
  void judge(const DiskReplaced& fact);
  void judge(const RoundEnded& fact);
  void judge(const ImageVerified& fact);
  void judge(const MemoryUsed& fact);
  void judge(const VolumeRecord& fact);
  void judge(const OwnershipBegan& fact);
  void judge(const HandoverStep& fact);
  void judge(const TraceExpected& fact);
  void judge(const FaultInjected& fact);
  void judge(const FaultHealed& fact);
  void judge(const LinkChanged& fact);
  void judge(const ClockRate& fact);
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

  // Of rules that rest on clocks: the findings, or the broken assumptions.
  invariants::Findings& of_leases() {
    return clocks_are_bounded_ ? findings_ : broken_assumptions_;
  }
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
  invariants::Cancels cancels_;
  invariants::Images images_;
  invariants::Answers answers_;
  invariants::StateHashes state_hashes_;
  invariants::Journals journals_;
  invariants::Events events_;
  invariants::Stores stores_;
  invariants::Failovers failovers_;
  invariants::HandoverTrace handover_{findings_};  // of a run whose clocks are bounded
  std::map<std::string, invariants::Register> registers_;
  std::set<std::pair<NodeId, std::string>> written_by_client_;
  std::uint64_t last_event_ = 0;
  std::map<NodeId, std::int64_t> clock_ppm_;
  bool clocks_are_bounded_ = true;
  invariants::Findings broken_assumptions_;
};

}  // namespace failsim::history
