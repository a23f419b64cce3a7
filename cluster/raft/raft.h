// The replicated log: our own Raft, without input or output.
//
// A Raft is told the time and what arrived; it says what to send, what to make durable and what is
// committed. It never performs anything. The rules it follows beyond the dissertation are listed in
// docs/design.md, "The log".
//
// Durability contract. What a call adds to Output::durable belongs to the next atomic batch.
// Output::mark, when not 0, numbers that addition; once the batch holding it is synced the owner
// calls persisted(mark). Messages in `send_now` may leave at once; messages in `after` only when
// the batch of the same output is synced. A member counts its own vote and its own copy of an entry
// only at persisted().
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/durable.h"
#include "cluster/ids.h"
#include "cluster/proto/raft.pb.h"
#include "cluster/time.h"

namespace failsim::raft {

struct Config {
  NodeId self = kNoNode;
  StoreId store_id = 0;
  pb::RaftConfiguration voters;                      // fixed membership, including self
  Duration election_timeout = 500 * kMillisecond;    // drawn anew from [T, 2T) each time
  Duration heartbeat_interval = 100 * kMillisecond;  // of the leader's empty appends
  std::size_t max_append_bytes = 256 * 1024;         // of entries in one append message
  std::size_t max_in_flight = 64;                    // append messages a follower has not answered
  std::size_t max_uncommitted = 4096;                // proposals beyond it are refused
  std::uint64_t random_seed = 0;                     // of the election timeouts
};

struct Outgoing {
  NodeId to = kNoNode;
  pb::RaftMessage message;
};

// An immutable picture of the applied state, cut in chunks as they are asked for.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  virtual pb::LogStart position() const = 0;            // the last entry it contains
  virtual std::size_t chunk_count() const = 0;          // at least 1
  virtual std::string chunk(std::size_t number) const = 0;
};

struct InstalledSnapshot {
  pb::LogStart position;
  std::vector<std::string> chunks;
};

// Appended to by every call; the owner empties it after performing it.
struct Output {
  std::vector<Outgoing> send_now;
  std::vector<Outgoing> after;
  DurableBatch durable;                            // hard_state, truncate_from, append, log_start
  std::uint64_t mark = 0;
  std::vector<EntryPtr> committed;                 // to be applied, in order, each exactly once
  std::optional<InstalledSnapshot> snapshot;       // replaces the applied state, before `committed`
  std::vector<std::uint64_t> confirmed;            // nonces of confirm(), leadership proven since
  std::vector<std::uint64_t> confirm_failed;       // nonces that will not be confirmed: not leader
  bool wants_snapshot = false;                     // a follower is behind the log: provide one
};

enum class Role { kFollower, kPreCandidate, kCandidate, kLeader };

class Raft {
 public:
  // Takes what the store recovered. `recovered.applied` is what the rows already contain: entries
  // up to it are not reported as committed again.
  Raft(const Config& config, const Recovered& recovered, Time now);
  ~Raft();
  Raft(const Raft&) = delete;
  Raft& operator=(const Raft&) = delete;

  // Evaluates every deadline against `now`. To be called before any other call of a step; `gap` is
  // time the member itself did not run (a stopped process): deadlines about others move by it.
  void tick(Time now, Duration gap, Output& out);
  // Some deadline may have to be evaluated at this time; kNever if none.
  Time next_deadline() const;

  void receive(Time now, NodeId from, const pb::RaftMessage& message, Output& out);
  void persisted(Time now, std::uint64_t mark, Output& out);

  // Appends a command if this member leads and its queue is not full: its index; else nothing.
  std::optional<Index> propose(Time now, std::string command, Output& out);
  // Asks for proof that this member still leads: a quorum round begun after this call. The nonce
  // comes back in `confirmed` or `confirm_failed`.
  void confirm(Time now, std::uint64_t nonce, Output& out);

  // Answers wants_snapshot.
  void provide_snapshot(Time now, std::shared_ptr<const SnapshotSource> source, Output& out);
  // Drops log entries up to `index`, which the stored rows contain. At most `applied`.
  void compact(Index index, Output& out);
  // Gives up leadership at once (a stalled disk); no effect on a follower.
  void step_down(Time now, Output& out);

  Role role() const;
  bool leads() const { return role() == Role::kLeader; }
  // True when an entry of the leader's own term is committed: only then does its state contain
  // everything ever acknowledged.
  bool leader_ready() const;
  NodeId leader() const;      // as far as this member knows; kNoNode if unknown
  Term term() const;
  Index last_index() const;   // of the log, durable or not
  Index commit_index() const;
  Index first_index() const;  // of the log after compaction
  pb::LogStart position_of(Index index) const;  // of an entry in the log or at its start
  Time elected_at() const;    // asserts leads()
  // Whether a quorum was heard within the election timeout (leader), or a leader was (follower).
  bool has_quorum(Time now) const;
  // The entry, for the checkers; null when compacted or beyond the end.
  EntryPtr entry(Index index) const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace failsim::raft
