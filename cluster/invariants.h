// What must hold whatever breaks: one small checker for each invariant, fed with a history.
//
// Each checker is a pure object of its own. A world tells it what happened, in the order of one
// global clock; it remembers as little as it needs and adds a Violation to the findings when the
// history breaks its rule. The labels (S1 ... S22, "raft") are those of docs/design.md,
// "Invariants". A checker never looks at the code it judges: it is told facts, not opinions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cluster/ids.h"
#include "cluster/proto/raft.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim::invariants {

struct Violation {
  std::string label;  // for example "S1"
  std::string text;   // one sentence
  Time at = 0;
};

// What was found, and how often each rule was put to the test: a rule that was never evaluated has
// proven nothing.
class Findings {
 public:
  void set_now(Time now) { now_ = now; }
  void add(const std::string& label, std::string text);
  void evaluated(const char* label) { ++evaluations_[label]; }

  const std::vector<Violation>& violations() const { return violations_; }
  const std::map<std::string, std::uint64_t>& evaluations() const { return evaluations_; }

 private:
  Time now_ = 0;
  std::vector<Violation> violations_;
  std::map<std::string, std::uint64_t> evaluations_;
};

// raft: at most one leader a term.
class Elections {
 public:
  void leads(NodeId node, Term term, Findings& findings);

 private:
  std::map<Term, NodeId> leaders_;
};

// raft: entries of one index and term are equal with everything before them (log matching, by the
// checksum chain); what is committed at an index never changes; a process's commit never goes back.
class Logs {
 public:
  void appended(NodeId node, const pb::LogStart& position, Findings& findings);
  // The process has committed up to `position`, whose entry it still has.
  void committed(NodeId node, const pb::LogStart& position, Findings& findings);
  void restarted(NodeId node) { commit_.erase(node); }

 private:
  std::map<std::pair<Index, Term>, std::uint32_t> appended_;
  std::map<Index, std::pair<Term, std::uint32_t>> committed_;
  std::map<NodeId, Index> commit_;
};

// S1: at most one node executes a VM at any instant. A node executes from a start until it stops or
// until the lease that it has then is over, whichever comes first.
class Executions {
 public:
  // Also when a lease is renewed while it lasts: then `until` is only moved.
  void executes(const std::string& vm, NodeId node, Time now, Time until, Findings& findings);
  void stops(const std::string& vm, NodeId node, Time now);
  void node_died(NodeId node, Time now);
  bool is_executing(const std::string& vm, Time now) const;

 private:
  struct Span {
    Time from = 0;
    Time until = 0;
  };
  std::map<std::string, std::map<NodeId, Span>> spans_;
};

// S3: an epoch of a VM has one owner, and the epochs of a VM only rise at every replica.
class Ownership {
 public:
  void row(NodeId replica, const pb::Vm& vm, Findings& findings);
  // The replica starts from an older state again: a restart, or an installed snapshot.
  void restarted(NodeId replica);

 private:
  using Owner = std::pair<NodeId, Incarnation>;
  std::map<std::pair<std::string, Epoch>, Owner> owners_;
  std::map<std::pair<NodeId, std::string>, Epoch> newest_;
};

// S4, S5: the engine moves the property MigrationState along the documented edges only; a failure
// and a cancellation stay until reset or the next start; only the job that has moved the VM can
// fail afterwards. A client may write any value while no migration is in flight, and a start may
// follow any of them. Fed with the events of record, each once.
class MigrationEdges {
 public:
  // job = 0: a client wrote the value.
  void changed(const std::string& vm, std::uint32_t from, std::uint32_t to, TaskId job,
               Findings& findings);
  void deleted(const std::string& vm) { states_.erase(vm); }

 private:
  struct Value {
    std::uint32_t number = 0;
    bool by_engine = true;
    TaskId job = 0;  // that has set it
  };
  std::map<std::string, Value> states_;
};

// S6, S20: a VM has at most one migration in flight, and it is there exactly while MigrationState
// is 1..3; progress never falls, what is complete never changes, and the states of a job follow one
// another as its diagram has it.
class Jobs {
 public:
  // An event of record that tells of a step of JobState, each once.
  void stepped(TaskId job, std::uint32_t from, std::uint32_t to, Findings& findings);
  // The rows of one replica's state after a step; `job` is the task that vm.job() names, or null;
  // `by_client`: MigrationState is what a client wrote.
  void vm_row(const pb::Vm& vm, const pb::Task* job, std::uint32_t migration_state, bool by_client,
              Findings& findings);
  void task_row(NodeId replica, const pb::Task& task, Findings& findings);
  void restarted(NodeId replica);

 private:
  struct Seen {
    std::uint32_t progress = 0;
    bool complete = false;
    std::uint32_t result = 0;
    std::uint32_t job_state = 0;
  };
  std::map<std::pair<NodeId, TaskId>, Seen> tasks_;
  std::set<TaskId> shutting_down_;
};

// S13: a canceled or failed migration leaves the VM with its source; a completed one does not.
class MigrationEnds {
 public:
  // A replica has applied the end of a migration.
  void ended(NodeId replica, const pb::Task& task);
  // The row of its VM after the same step.
  void vm_row(NodeId replica, const pb::Vm& vm, Findings& findings);
  void restarted(NodeId replica);

 private:
  std::map<std::pair<NodeId, std::string>, pb::MigrationJob> ended_;  // the row is still to come
};

// L9: pre-copy that does not converge is bounded, and what was forced is told so.
class Rounds {
 public:
  struct Round {
    std::string vm;
    TaskId job = 0;
    std::uint32_t number = 0;  // 0 = the first
    std::uint32_t most = 0;    // rounds that are allowed
    bool goes_on = false;      // one more was decided
    bool is_forced = false;    // the switch was decided although the rest does not fit
  };
  void ended(const Round& round, Findings& findings);
  // The migration has completed and its statistics say this.
  void reported(TaskId job, bool forced, Findings& findings);

 private:
  std::set<TaskId> forced_;
};

// S20: a request that is asked again is not performed again: it has one outcome.
class Answers {
 public:
  void answered(const std::string& request, const std::string& answer, Findings& findings);

 private:
  std::map<std::string, std::string> answers_;
};

// S7: what was acknowledged is not lost: one register, written by one client, one write at a time.
class Register {
 public:
  // Values are unique and not empty.
  void write_begins(const std::string& value);
  void write_acknowledged(const std::string& value);
  void write_refused(const std::string& value);
  // A read that began after every call so far, or the final state.
  void read(const std::string& name, const std::string& value, Findings& findings);

 private:
  std::vector<std::string> possible_ = {""};  // newest last; the first is the last certain one
};

// S13: a cancel that was accepted ends the migration as canceled.
class Cancels {
 public:
  // A client's cancel of this job was answered with success.
  void accepted(TaskId job, Findings& findings);
  // A replica's row says that the job has ended.
  void ended(TaskId job, bool is_canceled, Findings& findings);

 private:
  void compare(TaskId job, Findings& findings);
  std::set<TaskId> accepted_;
  std::map<TaskId, bool> ended_;
};

// S9: replicas at the same index have the same state.
class StateHashes {
 public:
  void state(NodeId replica, Index applied, std::uint64_t hash, Findings& findings);

 private:
  std::map<Index, std::pair<std::uint64_t, NodeId>> hashes_;
};

// S11, S12: the journal of a VM on the shared volume. Counters rise by one without a gap, a fork or
// a repetition; epochs never fall; an epoch is written by one process.
class Journals {
 public:
  // counter = 0: a registration.
  void record(const std::string& vm, const Epoch& epoch, std::uint64_t counter, NodeId node,
              Incarnation writer, Findings& findings);
  // A guest is about to execute and believes that its journal ends here.
  void begins(const std::string& vm, NodeId node, std::uint64_t counter, Findings& findings);
  void deleted(const std::string& vm) { journals_.erase(vm); }

 private:
  struct Journal {
    Epoch epoch;
    std::uint64_t counter = 0;
    std::map<Epoch, std::pair<NodeId, Incarnation>> writers;
  };
  std::map<std::string, Journal> journals_;
};

// S10: the memory at the resume is the memory at the pause.
void check_digest(const std::string& vm, TaskId job, bool match, Findings& findings);

// S10: a process runs a guest from an image only if it has held all of that image.
class Images {
 public:
  void held(NodeId node, Incarnation process, TaskId job);
  void ordered(const std::string& vm, NodeId node, Incarnation process, TaskId job,
               Findings& findings);

 private:
  std::set<std::tuple<NodeId, Incarnation, TaskId>> held_;
};

// S15: what a node holds in memory and has reserved fits its memory.
void check_memory(NodeId node, std::uint64_t used, std::uint64_t memory, Findings& findings);

// S22: events of record are numbered without a gap and are the same everywhere.
class Events {
 public:
  // The replica applied this event.
  void applied(NodeId replica, const pb::EventRecord& event, Findings& findings);
  void restarted(NodeId replica) { last_.erase(replica); }

 private:
  std::map<std::uint64_t, std::string> contents_;
  std::map<NodeId, std::uint64_t> last_;
};

// Of one process, when the world has been quiet for long enough.
struct Holdings {
  NodeId node = kNoNode;
  struct Guest {
    std::string vm;
    std::uint64_t boot_id = 0;
    bool held_by_transfer = false;
  };
  struct Transfer {
    std::string vm;
    TaskId job = 0;
  };
  std::vector<Guest> guests;
  std::vector<Transfer> transfers;
  std::uint64_t memory_bytes = 0;  // reserved in all; 0 if that is not known
};

// S13, S14: nothing is left of a migration that has ended, no guest is where it does not belong, and
// without a transfer no more memory is held than the guests have. `vms` by name, `in_flight` the jobs that have not ended.
void check_leaks(const Holdings& holdings, const std::map<std::string, pb::Vm>& vms,
                 const std::set<TaskId>& in_flight, Findings& findings);

}  // namespace failsim::invariants
