// A small world of Raft members in virtual time: a network that delays, loses, repeats, reorders
// and is cut one way; disks that take time and lose what was not synced; processes that crash,
// stop and start again.
//
// The world is also the referee. At every step it checks that a term has one leader, that logs
// match, that an index holds the same command everywhere, that what is committed is on the disks of
// a quorum and in the log of every later leader, that commit indexes never go back and that a
// confirmed leader knows everything committed before it was asked. A broken rule is a test failure.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/raft/raft.h"
#include "cluster/random.h"

namespace failsim::raft {

struct WorldOptions {
  std::uint32_t members = 3;
  std::uint64_t seed = 1;
  Duration delay_least = 1 * kMillisecond;
  Duration delay_most = 1 * kMillisecond;
  std::uint64_t loss_per_mille = 0;
  std::uint64_t repeat_per_mille = 0;
  Duration sync_least = 1 * kMillisecond;
  Duration sync_most = 1 * kMillisecond;
  Index compact_every = 0;  // applied entries between two compactions; 0 = never
  Index keep_entries = 0;   // applied entries a compaction leaves in the log
  Duration extra_tick_every = 0;
  std::size_t max_append_bytes = 256 * 1024;
  std::size_t max_in_flight = 64;
};

// What synced batches have written.
struct Store {
  StoreId id = 0;
  Recovered content;

  void write(const DurableBatch& batch);
  bool holds(Index index, Term term) const;
};

class RaftWorld {
 public:
  explicit RaftWorld(const WorldOptions& options);

  Time now() const { return now_; }
  void run_for(Duration duration);
  // Runs until `reached` or until `limit` has passed; says whether it was reached.
  bool run_until(const std::function<bool()>& reached, Duration limit = 20 * kSecond);
  // Runs until some member leads and is ready.
  NodeId elect();
  // Runs until every member that is up has applied `index`.
  bool spread(Index index);

  const Raft& raft(NodeId id) const { return *members_.at(id).raft; }
  bool is_up(NodeId id) const { return members_.at(id).raft != nullptr; }
  bool is_stopped(NodeId id) const { return members_.at(id).stopped_until > now_; }
  NodeId ready_leader() const;
  Index applied(NodeId id) const { return members_.at(id).applied; }
  const Store& store(NodeId id) const { return members_.at(id).store; }
  std::uint64_t snapshots_installed() const { return snapshots_installed_; }
  // Differs when anything any member ever committed, or when, differs.
  std::uint64_t history() const { return history_; }

  std::optional<Index> propose(NodeId id, const std::string& command);
  void confirm(NodeId id, std::uint64_t nonce);
  void step_down(NodeId id);
  bool is_confirmed(std::uint64_t nonce) const { return confirmed_.contains(nonce); }
  bool is_refused(std::uint64_t nonce) const { return refused_.contains(nonce); }

  // Faults.
  void crash(NodeId id);
  void start(NodeId id);
  void format_store(NodeId id);  // of a member that is down: blank, with another store id
  void stop_for(NodeId id, Duration duration);
  void stall_disk(NodeId id, Duration duration);
  void cut(NodeId from, NodeId to) { cuts_.insert({from, to}); }
  void isolate(NodeId id);
  void heal() { cuts_.clear(); }
  void set_loss(std::uint64_t per_mille) { options_.loss_per_mille = per_mille; }
  // Sees every message put on the wire; returning false swallows it.
  void set_filter(std::function<bool(NodeId from, const Outgoing&)> filter) {
    filter_ = std::move(filter);
  }

 private:
  struct Batch {
    DurableBatch durable;
    std::uint64_t mark = 0;
    std::vector<Outgoing> after;
  };
  struct Member {
    Store store;
    Store voting;  // the one that had the vote, as it was when it was replaced
    std::deque<Batch> unsynced;
    bool syncing = false;
    Time stalled_until = 0;
    std::unique_ptr<Raft> raft;
    std::uint64_t life = 0;  // of the process; what happens later to an earlier one is dropped
    std::optional<Time> stopped_at;
    Time stopped_until = 0;
    Index applied = 0;
    std::uint64_t hash = 0;  // of every command applied, in order
    Index commit_seen = 0;
    Index compacted = 0;
  };
  struct Committed {
    Term term;
    std::uint32_t checksum;
    Term in_term;  // of the member that reported it first
    std::uint64_t hash;
  };

  std::uint64_t between(Duration least, Duration most);
  void at(Time time, std::function<void()> action);
  void in_life(NodeId id, Time time, std::function<void()> action);
  bool run_next(Time limit);
  Time wake_time(const Member& member) const;

  void step(NodeId id, const std::function<void(Raft&, Output&)>& act);
  void perform(NodeId id, Output& out);
  void install(NodeId id, const InstalledSnapshot& snapshot, DurableBatch& batch);
  void apply(NodeId id, const EntryPtr& entry);
  void compact(NodeId id, Output& out);
  void provide_snapshot(NodeId id);
  void sync(NodeId id);
  void send(NodeId from, const Outgoing& outgoing);

  void check_appended(const EntryPtr& entry);
  void check_committed(NodeId id, const EntryPtr& entry, std::uint64_t hash);
  void check_leader(NodeId id);
  void check_answers(NodeId id, const Output& out);

  WorldOptions options_;
  pb::RaftConfiguration voters_;
  Random random_;
  Time now_ = 0;
  std::multimap<Time, std::function<void()>> events_;
  std::map<NodeId, Member> members_;
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::function<bool(NodeId, const Outgoing&)> filter_;

  std::map<Index, Committed> committed_;
  std::map<std::pair<Index, Term>, std::uint32_t> checksums_;
  std::map<Term, std::pair<NodeId, std::uint64_t>> leaders_;
  std::map<std::uint64_t, Index> asked_;  // nonce -> committed when it was asked
  std::set<std::uint64_t> confirmed_;
  std::set<std::uint64_t> refused_;
  std::uint64_t snapshots_installed_ = 0;
  std::uint64_t history_ = 0;
};

}  // namespace failsim::raft
