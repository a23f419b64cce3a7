// What a member is told and what it wants done: the whole contract between the pure core and a
// world (the node process in node/, the virtual world in tools/sim/).
//
// A world performs the effects of a step in this way:
//  1. `send_now` leaves at once; `lease_until`, then `transfers`, then `guests` are handed over at
//     once, in this order: an order that stops something never waits for a disk.
//  2. `durable`, if not empty, is written as one atomic batch under `sequence`, synced when
//     durable.needs_sync(). Batches are written in order.
//  3. When the batch is written, and every earlier one, the world delivers Persisted{sequence} and
//     then performs `after` of that step, in order. A step without a durable part has its `after`
//     performed once all earlier batches are written (at once if none is pending).
// Several steps may be united in one batch if the order of everything above is kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/durable.h"
#include "cluster/ids.h"
#include "cluster/proto/message.pb.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim {

// ---- What a member is told ----------------------------------------------------------------------

// A frame or datagram of this cluster, wire version and recovery epoch checked by nobody yet.
struct MessageReceived {
  pb::PeerMessage message;
};

// A client of this node asks; `token` is the world's, and comes back in the reply.
struct ClientAsks {
  std::uint64_t token = 0;
  pb::Request request;
};

// A client of this node wants to read: answered when this node has applied everything that was
// acknowledged anywhere before now.
struct ClientReads {
  std::uint64_t token = 0;
};

// The guest of a VM on this node is now in this condition.
struct GuestReport {
  std::string vm;
  Epoch epoch;
  std::uint64_t boot_id = 0;
  pb::GuestCondition condition = pb::CONDITION_ABSENT;
  std::uint32_t task_result = 0;  // VMTaskResult of a failure
  std::string error;              // one sentence, for CONDITION_FAILED and CONDITION_IMAGE_LOST
};

// A transfer on this node has reached this status. Reports of another attempt are dropped.
struct TransferReport {
  std::string vm;
  TaskId job = 0;
  std::uint64_t attempt = 0;
  pb::TransferStatus status = pb::TRANSFER_IDLE;
  std::uint32_t task_result = 0;
  std::string error;
  pb::MigrationStatistics statistics;
  std::vector<pb::MigrationRound> rounds{};  // the newest, of a source
  bool post_copy = false;                    // a source that converged: the switch it wants
};

// All batches up to this sequence are written (and synced where they had to be).
struct Persisted {
  std::uint64_t sequence = 0;
};

// A batch could not be written. The member takes no part any more: it says nothing, keeps its
// guests until its lease is over, and is_failed() turns true.
struct StorageFailed {
  std::string reason;
};

// The launcher reaped a process of this cluster: its guests are dead.
struct ProcessDied {
  NodeId node = kNoNode;
  std::uint32_t instance = 0;  // the low 32 bits of its incarnation
};

// This process is asked to leave and its guests are stopped already.
struct Leaving {};

// Only time has passed.
struct Tick {};

using Event = std::variant<Tick, MessageReceived, ClientAsks, ClientReads, GuestReport,
                           TransferReport, Persisted, StorageFailed, ProcessDied, Leaving>;

// ---- What a member wants done -------------------------------------------------------------------

struct ReplyToClient {
  std::uint64_t token = 0;
  pb::Reply reply;
};

// ClientReads is answered: the state may be read now (ok), or it may not, and why.
struct ReadAllowed {
  std::uint64_t token = 0;
  std::uint32_t code = 0;  // Code: kOk, kNotReady or kNoQuorum
};

using After = std::variant<pb::PeerMessage, ReplyToClient, ReadAllowed>;

// The desired state of one guest on this node: a level, never an edge. A world that holds a guest
// of another boot destroys it first. The guest executes only while the world's clock is before the
// lease deadline, whatever this order says.
struct GuestOrder {
  std::string vm;
  Epoch epoch;  // to be registered at the shared volume before anything else
  std::uint64_t boot_id = 0;
  pb::GuestWant want = pb::GUEST_ABSENT;
  pb::GuestOrigin origin = pb::ORIGIN_FRESH;
  TaskId image_job = 0;  // for ORIGIN_IMAGE
  std::uint64_t image_attempt = 0;
  pb::VmConfig config;
};

enum class TransferRole { kSource, kTarget };

// kPrepare: target: reserve memory, create the placeholder, pre-fault, accept (job, attempt).
// kStream:  source: connect and send pre-copy rounds while the guest runs; suspended: send nothing.
// kFinish:  source: pause the guest, send the rest, device state and the release. Post-copy: the
//           device state and which pages are missing come first; after the release the pages are
//           served, and the guest never runs here again.
// kDrop:    forget the transfer; at the target unless the image became the guest, all of it.
enum class TransferStage { kPrepare, kStream, kFinish, kDrop };

struct TransferOrder {
  std::string vm;
  TaskId job = 0;
  std::uint64_t attempt = 0;
  TransferRole role = TransferRole::kSource;
  TransferStage stage = TransferStage::kDrop;
  NodeId peer = kNoNode;
  Epoch epoch;
  std::uint64_t boot_id = 0;
  pb::VmConfig config;
  pb::MigrationParameters parameters;
  bool is_suspended = false;  // with kStream
  bool post_copy = false;     // with kFinish; with kDrop at the target: the guest lacks pages, lose it
};

// Something that happened in this member, for people and checkers; never acted upon.
struct Fact {
  std::string kind;
  std::string text;
};

struct Effects {
  std::vector<pb::PeerMessage> send_now;
  DurableBatch durable;
  std::uint64_t sequence = 0;  // of `durable`, when it is not empty
  std::vector<After> after;
  std::vector<GuestOrder> guests;        // those whose desired state changed
  std::vector<TransferOrder> transfers;  // those whose desired stage changed
  std::optional<Time> lease_until;       // the new lease deadline of this node, when it changed
  std::vector<Fact> trace;
  std::vector<std::uint64_t> new_events;  // numbers of event records applied in this step

  void clear() { *this = Effects(); }
};

}  // namespace failsim
