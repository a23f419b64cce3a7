// The replicated log: our own Raft, without input or output.
//
// A Raft is told the time and what arrived; it says what to send, what to make durable and what is
// committed. It never performs anything. The rules it follows beyond the dissertation are listed in
// docs/design.md, "The log".
//
// Durability contract. What a call adds to Output::durable belongs to the next atomic batch.
// Output::mark, when not 0, numbers that addition; once the batch holding it is synced the owner
// calls persisted(mark). Messages in `send_now` may leave at once; messages in `after` only when
// the batch of the same output and all earlier ones are synced, also when that batch is empty: an
// acknowledgement may rest on entries of an earlier output. A member counts its own vote and its
// own copy of an entry only at persisted(); persisted(mark) covers every smaller mark. What a store
// recovers, unsynced batches included, must be synced before it is given to the constructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/durable.h"
#include "cluster/ids.h"
#include "cluster/mistakes.h"
#include "cluster/proto/raft.pb.h"
#include "cluster/raft/log.h"
#include "cluster/raft/persistence.h"
#include "cluster/raft/roles.h"
#include "cluster/raft/snapshot.h"
#include "cluster/raft/voters.h"
#include "cluster/random.h"
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
  [[no_unique_address]] Mistakes mistakes;           // none, in a product
};

struct Outgoing {
  NodeId to = kNoNode;
  pb::RaftMessage message;
};

// Appended to by every call; the owner empties it after performing it.
struct Output {
  std::vector<Outgoing> send_now;
  std::vector<Outgoing> after;
  DurableBatch durable;  // hard_state, truncate_from, append, log_start
  std::uint64_t mark = 0;
  std::vector<EntryPtr> committed;            // to be applied, in order, each exactly once
  std::optional<InstalledSnapshot> snapshot;  // replaces the applied state, before `committed`
  std::vector<std::uint64_t> confirmed;       // nonces of confirm(), leadership proven since
  std::vector<std::uint64_t> confirm_failed;  // nonces that will not be confirmed: not leader
  bool wants_snapshot = false;  // a follower is behind the log: provide one (repeated until then)
};

enum class Role { kFollower, kPreCandidate, kCandidate, kLeader };

class Raft {
 public:
  // Takes what the store recovered. `recovered.applied` is what the rows already contain: entries
  // up to it are not reported as committed again.
  Raft(const Config& config, const Recovered& recovered, Time now);
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
  // Drops log entries up to `index`, which the stored rows contain; at most the commit index. Less
  // is dropped while a follower is receiving a snapshot: it will need the entries after it.
  void compact(Index index, Output& out);
  // Gives up leadership at once (a stalled disk); no effect on a follower.
  void step_down(Time now, Output& out);

  Role role() const;
  StoreId store_id() const { return config_.store_id; }
  bool leads() const { return role() == Role::kLeader; }
  // True when an entry of the leader's own term is committed: only then does its state contain
  // everything ever acknowledged.
  bool leader_ready() const;
  NodeId leader() const;  // as far as this member knows; kNoNode if unknown
  Term term() const;
  Index last_index() const;  // of the log, durable or not
  Index commit_index() const;
  Index first_index() const;                    // of the log after compaction
  pb::LogStart position_of(Index index) const;  // of an entry in the log or at its start
  Time elected_at() const;                      // asserts leads()
  // Whether a quorum was heard within the election timeout (leader), or a leader was (follower).
  bool has_quorum(Time now) const;
  // The entry, for the checkers; null when compacted or beyond the end.
  EntryPtr entry(Index index) const;
  // Append messages dropped because their entries did not fit the checksum chain.
  std::uint64_t bad_appends() const { return bad_appends_; }

 private:
  // Time and terms (raft.cc).
  Time draw_election_time(Time now);
  void become_follower(Time now, Term term, NodeId leader, Output& out);
  void set_hard_state(Term term, NodeId voted_for, Output& out);
  void note_durable(Output& out);
  void commit_to(Index index, Output& out);
  pb::RaftMessage envelope() const;
  void dispatch(Time now, NodeId from, const pb::RaftMessage& message, Output& out);
  void refuse_stale(NodeId from, const pb::RaftMessage& message, Output& out);
  void check_invariants() const;

  // Elections (election.cc).
  bool is_up_to_date(Index last_index, Term last_term) const;
  bool holds_to_leader(Time now) const;
  void start_pre_vote(Time now, Output& out);
  void start_vote(Time now, Output& out);
  void become_leader(Time now, Output& out);
  void count_own_vote(Time now, Output& out);
  void receive_pre_vote(Time now, NodeId from, const pb::RaftMessage::PreVote& request,
                        Output& out);
  void receive_pre_vote_reply(Time now, NodeId from, const pb::RaftMessage::PreVoteReply& reply,
                              Output& out);
  void receive_vote(Time now, NodeId from, const pb::RaftMessage::Vote& request, Output& out);
  void receive_vote_reply(Time now, NodeId from, const pb::RaftMessage::VoteReply& reply,
                          Output& out);

  // Following (following.cc).
  void hear_leader(Time now, NodeId from, Output& out);
  void receive_append(Time now, NodeId from, const pb::RaftMessage::Append& append, Output& out);
  void refuse_append(NodeId from, const pb::RaftMessage::Append& append, Output& out);
  bool matches(Index previous_index, Term previous_term) const;
  bool fits_chain(const pb::RaftMessage::Append& append) const;
  void store_entries(const pb::RaftMessage::Append& append, Output& out);
  void truncate_from(Index index, Output& out);
  void receive_snapshot(Time now, NodeId from, const pb::RaftMessage::Snapshot& message,
                        Output& out);
  bool contains_snapshot(const pb::RaftMessage::Snapshot& message) const;
  void install(InstalledSnapshot snapshot, Output& out);

  // Leading (leading.cc).
  void tick_leader(Time now, Output& out);
  Time quorum_heard_at() const;
  Time leader_deadline() const;
  void append_own(std::string command, Output& out);
  void send_heartbeats(Time now, Output& out);
  void send_heartbeat(Time now, NodeId to, Progress& progress, Output& out);
  Index send_append(NodeId to, Index next, Index last, Output& out);
  bool can_reach(const Progress& progress) const;
  void probe(Time now, NodeId to, Progress& progress, Index next, Output& out);
  bool send_entries(Time now, NodeId to, Progress& progress, Output& out);
  void spread_commit(Time now, Output& out);
  void advance_commit(Time now, Output& out);
  void receive_append_reply(Time now, NodeId from, const pb::RaftMessage::AppendReply& reply,
                            Output& out);
  void accept_match(Time now, NodeId from, Progress& progress, Index match, std::uint64_t round,
                    Output& out);
  void accept_refusal(Time now, NodeId from, Progress& progress,
                      const pb::RaftMessage::AppendReply& reply, Output& out);
  void advance_confirmations(Time now, Output& out);

  // Snapshots for followers (restoring.cc).
  void restore(Time now, Progress& progress, Output& out);
  void want_snapshot(Time now, const Progress& progress, Output& out);
  void send_chunk(Time now, NodeId to, Restoring& restoring, Output& out);
  void resend_chunk(Time now, NodeId to, Progress& progress, Output& out);
  void receive_snapshot_reply(Time now, NodeId from, const pb::RaftMessage::SnapshotReply& reply,
                              Output& out);

  const Config config_;
  const Voters voters_;
  const bool is_voter_;  // this very store has a vote; otherwise it never stands for election
  Random random_;
  pb::HardState hard_state_;
  Log log_;
  Index commit_index_;  // also the last entry reported in Output::committed
  Persistence persistence_;
  SnapshotAssembly assembly_;
  RoleState state_;
  std::uint64_t bad_appends_ = 0;
};

}  // namespace failsim::raft
