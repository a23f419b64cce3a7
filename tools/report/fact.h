// What happened in a run: plain facts, each with the time and the place it happened.
//
// A world tells its facts once. The same facts are judged (judge.h), written down (history.h) and
// drawn (timeline.h), live or from a file, so that there is one account of a run and not three.
// Rows are shared with the state they come from; a fact read from a file has those fields of a row
// that are written down (history.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "cluster/ids.h"
#include "cluster/invariants.h"
#include "cluster/migration/handover.h"
#include "cluster/migration/precopy_policy.h"
#include "cluster/proto/raft.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim::history {

template <typename Row>
using RowPtr = std::shared_ptr<const Row>;

// ---- The cluster and its processes --------------------------------------------------------------

// The first fact of a run.
struct ClusterFormed {
  std::vector<NodeId> nodes;
  std::vector<std::uint64_t> memory;  // bytes of each
};
// The detection time, which is also the length of leases, as this node has applied it.
struct DetectionTime {
  NodeId node = kNoNode;
  Duration length = 0;
};
struct ProcessStarted {
  NodeId node = kNoNode;
};
struct ProcessEnded {
  NodeId node = kNoNode;
  Incarnation incarnation = 0;
};
// SIGSTOP and SIGCONT.
struct ProcessStopped {
  NodeId node = kNoNode;
};
struct ProcessContinued {
  NodeId node = kNoNode;
};

// A process ended although nobody made it and its disk is sound, or it left behind or said of itself
// what a sound one never does.
struct Complaint {
  NodeId node = kNoNode;
  std::string text;  // one sentence
};

// ---- Who hears whom -----------------------------------------------------------------------------

// The node had no heartbeat of the other that was sent after `since`, until now. Told when the next
// one comes, if that took longer than a detection time, and of all who wait when a node is called
// Down.
struct Unheard {
  NodeId node = kNoNode;
  NodeId of = kNoNode;
  Time since = 0;
};
// A leader proposes that this node is Down because it is silent; not because it is proven dead.
struct CalledSilent {
  NodeId leader = kNoNode;
  NodeId node = kNoNode;
};
// A frame arrived whose bytes are not those that were sent.
struct DamagedFrame {
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  bool is_accepted = false;
};

// ---- The log and its store ----------------------------------------------------------------------

struct Leads {
  NodeId node = kNoNode;
  Term term = 0;
};
struct Appended {
  NodeId node = kNoNode;
  pb::LogStart position;
};
struct Committed {
  NodeId node = kNoNode;
  pb::LogStart position;
};
// What a store holds of the log once a batch of it is written, or when it is opened again.
struct Stored {
  NodeId node = kNoNode;
  std::uint64_t sequence = 0;  // of the batch; 0: this is what was found when the store was opened
  pb::HardState hard_state;
  pb::LogStart last;  // the last entry
};
// All batches up to this one are written and synced.
struct Synced {
  NodeId node = kNoNode;
  std::uint64_t sequence = 0;
};
struct StateHash {
  NodeId node = kNoNode;
  Index index = 0;
  std::uint64_t hash = 0;
};

// ---- What each replica has applied --------------------------------------------------------------

// A snapshot took the place of all rows.
struct RowsReplaced {
  NodeId node = kNoNode;
};
struct EventApplied {
  NodeId node = kNoNode;
  RowPtr<pb::EventRecord> event;
};
struct TaskRow {
  NodeId node = kNoNode;
  RowPtr<pb::Task> task;
};
struct NodeRow {
  NodeId node = kNoNode;  // the replica
  RowPtr<pb::Node> row;
};
struct VmRow {
  NodeId node = kNoNode;
  RowPtr<pb::Vm> vm;
  RowPtr<pb::Task> job;  // that vm->job() names; null if there is none
  std::uint32_t migration_state = 0;
};

// ---- Guests, transfers and the shared volume ----------------------------------------------------

// The lease of the process lasts until then; also when that has moved.
struct LeaseLasts {
  handover::Process process;
  Time until = 0;
};
// The process is about to leave: its guests are stopped for good.
struct GuestsStopped {
  handover::Process process;
};
// From now on, until it stops or `until`.
struct Executes {
  NodeId node = kNoNode;
  std::string vm;
  Time until = 0;
  Incarnation incarnation = 0;
  Epoch epoch;
};
struct Stops {
  NodeId node = kNoNode;
  std::string vm;
  Incarnation incarnation = 0;
};
// A guest is about to execute and believes that its journal ends here.
struct GuestBegins {
  NodeId node = kNoNode;
  std::string vm;
  std::uint64_t counter = 0;
};
// A member wants a guest made from the image of this job.
struct ImageOrdered {
  NodeId node = kNoNode;
  std::string vm;
  Incarnation incarnation = 0;
  TaskId job = 0;
};
// A round of a migration has ended at its source.
struct RoundEnded {
  NodeId node = kNoNode;
  std::string vm;
  TaskId job = 0;
  std::uint64_t attempt = 0;
  std::uint32_t round = 0;  // 0 = the first
  std::uint32_t max_rounds = 0;
  std::uint64_t bytes_sent = 0;   // in this round
  std::uint64_t dirty_bytes = 0;  // left for the next
  bool is_decided = false;        // the switch was asked for before: rounds go on until it comes
  PrecopyDecision decision = PrecopyDecision::kContinue;
};
struct ImageVerified {
  NodeId node = kNoNode;
  std::string vm;
  TaskId job = 0;
  bool match = false;
};
struct MemoryUsed {
  NodeId node = kNoNode;
  std::uint64_t used = 0;
  std::uint64_t memory = 0;
};
// The shared volume has written this record; counter 0: a registration.
struct VolumeRecord {
  std::string vm;
  Epoch epoch;
  std::uint64_t counter = 0;
  NodeId node = kNoNode;
  Incarnation writer = 0;
};

// ---- The way of an ownership --------------------------------------------------------------------

// A VM was created with this owner.
struct OwnershipBegan {
  std::string vm;
  handover::Process owner;
  Epoch epoch;
};
// A step that no other fact tells: what a command has changed, a pause, an image that is complete.
// The leases of the action are left out: LeaseLasts tells them.
struct HandoverStep {
  std::string vm;
  handover::Action action;
};
// At the end: this VM exists, so it was followed on its way; and if it runs, it began to.
struct TraceExpected {
  std::string vm;
  bool runs = false;
};

// ---- Messages: recorded, not judged -------------------------------------------------------------

struct Sent {
  std::uint64_t id = 0;
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  std::string type;         // "append", "heartbeat", "lease-request"
  Term term = 0;            // of messages of the log
  std::uint64_t index = 0;  // the last log entry that it carries or acknowledges
};
struct Received {
  std::uint64_t id = 0;
};

// ---- Faults -------------------------------------------------------------------------------------

struct FaultInjected {
  std::uint64_t id = 0;
  std::string text;           // as it is ordered: "kill node-2"
  std::vector<NodeId> nodes;  // those it concerns; kVolumeSite for the shared volume
};
struct FaultHealed {
  std::uint64_t id = 0;
};
// What is sent from now on passes this direction, or does not.
struct LinkChanged {
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  bool open = false;
};

// Nothing breaks any more, and what can be healed is healed.
struct FaultsEnded {};

// MaximumParallelMigrations when the cluster was formed; events of record tell how it changes.
struct SlotsFormed {
  std::uint32_t most = 0;
};

// The clock of the node runs too fast (or, negative, too slow) by so many millionths.
struct ClockRate {
  NodeId node = kNoNode;
  std::int64_t ppm = 0;
};

// ---- Clients ------------------------------------------------------------------------------------

struct WriteBegan {
  std::string name;  // of the register: "Description of node node-1"
  std::string value;
};
struct WriteAcknowledged {
  std::string name;
  std::string value;
};
struct WriteRefused {
  std::string name;
  std::string value;
};
struct ReadSaw {
  std::string name;
  std::string value;
};
// A request, by client and number, got this outcome.
struct Answered {
  std::string request;
  std::string answer;
};

// ---- Judgements ---------------------------------------------------------------------------------

// What a process holds when the world is quiet, and what is agreed that it may hold.
struct Held {
  invariants::Holdings holdings;
  std::vector<RowPtr<pb::Vm>> vms;
  std::vector<TaskId> in_flight;
};
// The run itself looked whether a rule holds that only it can see, for example the recovery.
// A client's cancel of this job was answered with success.
struct CancelAccepted {
  TaskId job = 0;
};
// The node's disk is another one from now on: what the former held is gone with it.
struct DiskReplaced {
  NodeId node = kNoNode;
};
struct Expectation {
  std::string rule;  // "L1"
  bool held = true;
  std::string text;  // one sentence, when it did not
};
// What the live judge found. A later judge comes to its own verdict and compares.
struct Violated {
  std::string rule;
  std::string text;
};

using Fact =
    std::variant<ClusterFormed, DetectionTime, ProcessStarted, ProcessEnded, ProcessStopped,
                 ProcessContinued, Leads, Appended, Committed, Stored, Synced, StateHash,
                 RowsReplaced, EventApplied, TaskRow, VmRow, LeaseLasts, GuestsStopped, Executes,
                 Stops, GuestBegins, ImageOrdered, RoundEnded, ImageVerified, MemoryUsed, VolumeRecord, OwnershipBegan,
                 HandoverStep, TraceExpected, Sent, Received, FaultInjected, FaultHealed,
                 LinkChanged, ClockRate, WriteBegan, WriteAcknowledged, WriteRefused, ReadSaw,
                 Answered, CancelAccepted, DiskReplaced, Held, Expectation, Violated, NodeRow,
                 Complaint, Unheard, CalledSilent, DamagedFrame, FaultsEnded, SlotsFormed>;

// Who wants to know everything, in the order of one clock.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void take(Time now, const Fact& fact) = 0;
};

}  // namespace failsim::history
