// A run as people look at it: who was up, who led, who owned and executed which VM, which phase a
// migration was in, what was broken, who told whom what.
//
// Made from facts, and nothing but facts; the page (page.h) and the trace (trace_file.h) draw it.
// Spans that had not ended when the run did end with it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/report/fact.h"

namespace failsim::history {

struct Span {
  Time from = 0;
  Time to = kNever;
};

class Timeline : public Sink {
 public:
  struct ProcessSpan {
    NodeId node = kNoNode;
    bool is_frozen = false;
    Span span;
  };
  struct LeaderSpan {
    NodeId node = kNoNode;
    Term term = 0;
    Span span;
  };
  struct OwnerSpan {
    std::string vm;
    NodeId node = kNoNode;
    Epoch epoch;
    Span span;
  };
  struct ExecutionSpan {
    std::string vm;
    NodeId node = kNoNode;
    Span span;
  };
  struct PhaseSpan {
    std::string vm;
    TaskId job = 0;
    std::uint32_t phase = 0;  // MigrationState 1..3
    std::uint32_t next = 0;   // the MigrationState that followed
    Span span;
  };
  struct Ends {  // of a migration
    NodeId source = kNoNode;
    NodeId target = kNoNode;
  };
  struct FaultSpan {
    std::uint64_t id = 0;
    std::string text;
    std::vector<NodeId> nodes;
    Span span;
  };
  struct Message {
    Sent sent;
    Span span;  // to kNever: it never arrived
  };
  struct Moment {
    enum class Class { kViolation, kFault, kEvent, kProcess, kLeader, kRound, kClient };
    Time at = 0;
    Class type = Class::kEvent;
    NodeId node = kNoNode;
    std::string vm;
    std::string text;
  };

  void take(Time now, const Fact& fact) override;
  // Ends what is still open.
  void close();

  Time end() const { return now_; }
  const std::vector<NodeId>& nodes() const { return nodes_; }
  const std::set<std::string>& vms() const { return vms_; }
  const std::vector<ProcessSpan>& processes() const { return processes_; }
  const std::vector<LeaderSpan>& leaders() const { return leaders_; }
  const std::vector<OwnerSpan>& owners() const { return owners_; }
  const std::vector<ExecutionSpan>& executions() const { return executions_; }
  const std::vector<PhaseSpan>& phases() const { return phases_; }
  const std::map<TaskId, Ends>& migrations() const { return migrations_; }
  const std::vector<std::pair<Time, RoundEnded>>& rounds() const { return rounds_; }
  const std::vector<FaultSpan>& faults() const { return faults_; }
  const std::vector<Message>& messages() const { return messages_; }
  const std::vector<Moment>& moments() const { return moments_; }

 private:
  template <typename Kind>
  void draw(const Kind&) {}  // what nobody looks at
  void draw(const ClusterFormed& fact);
  void draw(const ProcessStarted& fact);
  void draw(const ProcessEnded& fact);
  void draw(const ProcessStopped& fact);
  void draw(const ProcessContinued& fact);
  void draw(const Leads& fact);
  void draw(const EventApplied& fact);
  void draw(const TaskRow& fact);
  void draw(const VmRow& fact);
  void draw(const Executes& fact);
  void draw(const Stops& fact);
  void draw(const RoundEnded& fact);
  void draw(const ImageVerified& fact);
  void draw(const Sent& fact);
  void draw(const Received& fact);
  void draw(const FaultInjected& fact);
  void draw(const FaultHealed& fact);
  void draw(const WriteAcknowledged& fact);
  void draw(const Expectation& fact);
  void draw(const Violated& fact);

  void note(Moment::Class type, NodeId node, std::string text, std::string vm = "");
  void change_process(NodeId node, bool runs, bool is_frozen);
  void end_execution(const std::string& vm, NodeId node);
  void end_leadership();
  void migration_state_changed(const std::string& vm, TaskId job, std::uint32_t to);

  Time now_ = 0;
  std::vector<NodeId> nodes_;
  std::set<std::string> vms_;
  std::vector<ProcessSpan> processes_;
  std::vector<LeaderSpan> leaders_;
  std::vector<OwnerSpan> owners_;
  std::vector<ExecutionSpan> executions_;
  std::vector<PhaseSpan> phases_;
  std::map<TaskId, Ends> migrations_;
  std::vector<std::pair<Time, RoundEnded>> rounds_;
  std::vector<FaultSpan> faults_;
  std::vector<Message> messages_;
  std::vector<Moment> moments_;

  // The open spans, as places in the lists.
  std::map<NodeId, std::size_t> open_process_;
  std::map<std::string, std::size_t> open_owner_;
  std::map<std::pair<std::string, NodeId>, std::size_t> open_execution_;
  std::map<std::string, std::size_t> open_phase_;
  std::map<std::uint64_t, std::size_t> under_way_;  // messages
  std::uint64_t last_event_ = 0;
};

// "Data Transfer": a MigrationState, as people know it.
std::string phase_name(std::uint32_t phase);

}  // namespace failsim::history
