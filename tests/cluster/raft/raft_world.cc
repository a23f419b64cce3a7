#include "raft_world.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "cluster/raft/checksum.h"

namespace failsim::raft {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  return Random(hash ^ (value * 0x9e3779b97f4a7c15u)).next();
}

// The state is one number; its picture is that number's decimal digits, three a chunk.
class Picture : public SnapshotSource {
 public:
  Picture(const pb::LogStart& position, std::uint64_t hash)
      : position_(position), text_(std::to_string(hash)) {}
  pb::LogStart position() const override { return position_; }
  std::size_t chunk_count() const override { return (text_.size() + 2) / 3; }
  std::string chunk(std::size_t number) const override { return text_.substr(number * 3, 3); }

 private:
  pb::LogStart position_;
  std::string text_;
};

}  // namespace

void Store::write(const DurableBatch& batch) {
  auto& entries = content.entries;
  if (batch.hard_state.has_value()) content.hard_state = *batch.hard_state;
  if (batch.truncate_from != 0) {
    std::erase_if(entries, [&](const EntryPtr& e) { return e->index() >= batch.truncate_from; });
  }
  for (const EntryPtr& entry : batch.append) {
    const Index last = entries.empty() ? content.log_start.index() : entries.back()->index();
    EXPECT_EQ(entry->index(), last + 1) << "a batch left a hole in the log";
    entries.push_back(entry);
  }
  if (batch.log_start.has_value()) {
    content.log_start = *batch.log_start;
    std::erase_if(entries,
                  [&](const EntryPtr& e) { return e->index() <= batch.log_start->index(); });
  }
  if (!batch.rows.empty()) content.rows = batch.rows;
  if (batch.applied.has_value()) content.applied = *batch.applied;
}

bool Store::holds(Index index, Term term) const {
  if (index <= content.log_start.index()) return true;
  const Index position = index - content.log_start.index() - 1;
  return position < content.entries.size() && content.entries[position]->term() == term;
}

RaftWorld::RaftWorld(const WorldOptions& options) : options_(options), random_(options.seed) {
  for (NodeId id = 1; id <= options.members; ++id) {
    pb::Voter& voter = *voters_.add_voters();
    voter.set_node(id);
    voter.set_store_id(1000 + id);
    members_[id].store.id = 1000 + id;
  }
  for (NodeId id = 1; id <= options.members; ++id) start(id);
}

void RaftWorld::run_for(Duration duration) {
  const Time end = now_ + duration;
  while (run_next(end)) {
  }
  now_ = end;
}

bool RaftWorld::run_until(const std::function<bool()>& reached, Duration limit) {
  const Time end = now_ + limit;
  while (!reached()) {
    if (!run_next(end)) return false;
  }
  return true;
}

NodeId RaftWorld::elect() {
  EXPECT_TRUE(run_until([&] { return ready_leader() != kNoNode; })) << "nobody was elected";
  return ready_leader();
}

bool RaftWorld::spread(Index index) {
  return run_until([&] {
    return std::all_of(members_.begin(), members_.end(), [&](const auto& member) {
      return member.second.raft == nullptr || member.second.applied >= index;
    });
  });
}

// The one of the highest term: an older one may not know yet that it is deposed.
NodeId RaftWorld::ready_leader() const {
  NodeId found = kNoNode;
  for (const auto& [id, member] : members_) {
    if (member.raft == nullptr || !member.raft->leader_ready()) continue;
    if (found == kNoNode || member.raft->term() > raft(found).term()) found = id;
  }
  return found;
}

std::optional<Index> RaftWorld::propose(NodeId id, const std::string& command) {
  std::optional<Index> index;
  step(id, [&](Raft& raft, Output& out) { index = raft.propose(now_, command, out); });
  return index;
}

void RaftWorld::confirm(NodeId id, std::uint64_t nonce) {
  asked_[nonce] = committed_.empty() ? 0 : committed_.rbegin()->first;
  step(id, [&](Raft& raft, Output& out) { raft.confirm(now_, nonce, out); });
}

void RaftWorld::step_down(NodeId id) {
  step(id, [&](Raft& raft, Output& out) { raft.step_down(now_, out); });
}

// Of the batches not known to be synced, the first few may have reached the disk all the same.
void RaftWorld::crash(NodeId id) {
  Member& member = members_.at(id);
  const std::uint64_t kept = random_.below(member.unsynced.size() + 1);
  for (std::uint64_t i = 0; i < kept; ++i) member.store.write(member.unsynced[i].durable);
  member.unsynced.clear();
  member.syncing = false;
  member.raft.reset();
  member.stopped_at.reset();
  member.stopped_until = 0;
  ++member.life;
}

void RaftWorld::start(NodeId id) {
  Member& member = members_.at(id);
  Config config;
  config.self = id;
  config.store_id = member.store.id;
  config.voters = voters_;
  config.max_append_bytes = options_.max_append_bytes;
  config.max_in_flight = options_.max_in_flight;
  config.max_uncommitted = 64;
  config.random_seed = random_.next();
  const Recovered& content = member.store.content;
  member.raft = std::make_unique<Raft>(config, content, now_);
  member.applied = content.applied;
  member.hash = content.rows.empty() ? 0 : std::stoull(*content.rows.front().value);
  member.commit_seen = 0;
  member.compacted = content.log_start.index();
  EXPECT_GE(member.raft->commit_index(), member.applied);
  if (options_.extra_tick_every == 0) return;
  struct Ticker {
    RaftWorld* world;
    NodeId id;
    void operator()() const {
      Member& ticked = world->members_.at(id);
      if (ticked.stopped_until <= world->now_) world->step(id, [](Raft&, Output&) {});
      world->in_life(id, world->now_ + world->options_.extra_tick_every, *this);
    }
  };
  in_life(id, now_, Ticker{this, id});
}

void RaftWorld::format_store(NodeId id) {
  ASSERT_FALSE(is_up(id));
  Member& member = members_.at(id);
  if (member.store.id == 1000 + id) member.voting = member.store;
  member.store = Store{member.store.id + 1000, {}};
}

void RaftWorld::stop_for(NodeId id, Duration duration) {
  Member& member = members_.at(id);
  if (!member.stopped_at.has_value()) member.stopped_at = now_;
  member.stopped_until = std::max(member.stopped_until, now_ + duration);
}

void RaftWorld::stall_disk(NodeId id, Duration duration) {
  members_.at(id).stalled_until = now_ + duration;
}

void RaftWorld::isolate(NodeId id) {
  for (const auto& [other, member] : members_) {
    if (other == id) continue;
    cut(id, other);
    cut(other, id);
  }
}

std::uint64_t RaftWorld::between(Duration least, Duration most) {
  return static_cast<std::uint64_t>(least) +
         random_.below(static_cast<std::uint64_t>(most - least) + 1);
}

void RaftWorld::at(Time time, std::function<void()> action) {
  events_.emplace(time, std::move(action));
}

// A stopped process takes what happened when it goes on.
void RaftWorld::in_life(NodeId id, Time time, std::function<void()> action) {
  at(time, [this, id, life = members_.at(id).life, action = std::move(action)] {
    const Member& member = members_.at(id);
    if (member.raft == nullptr || member.life != life) return;
    if (member.stopped_until > now_) return in_life(id, member.stopped_until, action);
    action();
  });
}

Time RaftWorld::wake_time(const Member& member) const {
  if (member.raft == nullptr) return kNever;
  return std::max(member.raft->next_deadline(), member.stopped_until);
}

bool RaftWorld::run_next(Time limit) {
  Time next = events_.empty() ? kNever : events_.begin()->first;
  NodeId woken = kNoNode;
  for (const auto& [id, member] : members_) {
    if (wake_time(member) >= next) continue;
    next = wake_time(member);
    woken = id;
  }
  if (next > limit) return false;
  now_ = std::max(now_, next);
  if (woken != kNoNode) {
    step(woken, [](Raft&, Output&) {});
    const bool moved = wake_time(members_.at(woken)) > now_;
    EXPECT_TRUE(moved) << "a deadline was evaluated and still stands";
    return moved;
  }
  auto event = events_.extract(events_.begin());
  event.mapped()();
  return true;
}

void RaftWorld::step(NodeId id, const std::function<void(Raft&, Output&)>& act) {
  Member& member = members_.at(id);
  Output out;
  const Duration gap = member.stopped_at.has_value() ? now_ - *member.stopped_at : 0;
  if (member.stopped_until <= now_) member.stopped_at.reset();
  member.raft->tick(now_, gap, out);
  act(*member.raft, out);
  perform(id, out);
  check_leader(id);
  EXPECT_GE(member.raft->commit_index(), member.commit_seen) << "commit went back";
  member.commit_seen = member.raft->commit_index();
}

void RaftWorld::perform(NodeId id, Output& out) {
  Member& member = members_.at(id);
  for (const EntryPtr& entry : out.durable.append) check_appended(entry);
  if (out.snapshot.has_value()) install(id, *out.snapshot, out.durable);
  for (const EntryPtr& entry : out.committed) apply(id, entry);
  if (out.snapshot.has_value() || !out.committed.empty()) {
    out.durable.rows = {{"hash", std::to_string(member.hash)}};
    out.durable.applied = member.applied;
  }
  compact(id, out);
  check_answers(id, out);
  EXPECT_TRUE(!out.durable.needs_sync() || out.mark != 0);
  for (const Outgoing& outgoing : out.send_now) send(id, outgoing);
  if (out.wants_snapshot) {
    in_life(id, now_ + 5 * kMillisecond, [this, id] { provide_snapshot(id); });
  }
  if (out.durable.empty() && out.after.empty()) return;
  member.unsynced.push_back({std::move(out.durable), out.mark, std::move(out.after)});
  sync(id);
}

void RaftWorld::install(NodeId id, const InstalledSnapshot& snapshot, DurableBatch& batch) {
  Member& member = members_.at(id);
  ++snapshots_installed_;
  EXPECT_GT(snapshot.position.index(), member.applied) << "a snapshot took the state back";
  std::string text;
  for (const std::string& chunk : snapshot.chunks) text += chunk;
  member.hash = std::stoull(text);
  member.applied = snapshot.position.index();
  member.compacted = member.applied;
  batch.replace_rows = true;
  ASSERT_TRUE(committed_.contains(member.applied)) << "a snapshot of something not committed";
  EXPECT_EQ(member.hash, committed_.at(member.applied).hash);
}

void RaftWorld::apply(NodeId id, const EntryPtr& entry) {
  Member& member = members_.at(id);
  EXPECT_EQ(entry->index(), member.applied + 1);
  member.applied = entry->index();
  member.hash = mix(member.hash, crc32c(0, entry->command()));
  check_committed(id, entry, member.hash);
  history_ = mix(history_, mix(member.hash, id * 1'000'003 + static_cast<std::uint64_t>(now_)));
}

void RaftWorld::compact(NodeId id, Output& out) {
  Member& member = members_.at(id);
  if (options_.compact_every == 0) return;
  if (member.applied < member.compacted + options_.compact_every) return;
  member.compacted = member.applied;
  if (member.applied > options_.keep_entries) {
    member.raft->compact(member.applied - options_.keep_entries, out);
  }
}

void RaftWorld::provide_snapshot(NodeId id) {
  step(id, [&](Raft& raft, Output& out) {
    const Member& member = members_.at(id);
    auto picture = std::make_shared<Picture>(raft.position_of(member.applied), member.hash);
    raft.provide_snapshot(now_, std::move(picture), out);
  });
}

// Everything waiting is synced together, then what waited for it is said.
void RaftWorld::sync(NodeId id) {
  Member& member = members_.at(id);
  if (member.syncing || member.unsynced.empty()) return;
  member.syncing = true;
  const std::size_t count = member.unsynced.size();
  const bool needed = std::any_of(member.unsynced.begin(), member.unsynced.end(),
                                  [](const Batch& batch) { return batch.durable.needs_sync(); });
  const auto latency =
      static_cast<Duration>(needed ? between(options_.sync_least, options_.sync_most) : 0);
  const Time done = std::max(now_, needed ? member.stalled_until : 0) + latency;
  in_life(id, done, [this, id, count] {
    Member& synced = members_.at(id);
    std::uint64_t mark = 0;
    std::vector<Outgoing> after;
    for (std::size_t i = 0; i < count; ++i) {
      Batch batch = std::move(synced.unsynced.front());
      synced.unsynced.pop_front();
      synced.store.write(batch.durable);
      mark = std::max(mark, batch.mark);
      std::move(batch.after.begin(), batch.after.end(), std::back_inserter(after));
    }
    synced.syncing = false;
    for (const Outgoing& outgoing : after) send(id, outgoing);
    if (mark != 0) {
      step(id, [&](Raft& raft, Output& out) { raft.persisted(now_, mark, out); });
    }
    sync(id);
  });
}

void RaftWorld::send(NodeId from, const Outgoing& outgoing) {
  if (filter_ && !filter_(from, outgoing)) return;
  const int copies = random_.below(1000) < options_.repeat_per_mille ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    if (random_.below(1000) < options_.loss_per_mille) continue;
    const Time arrival =
        now_ + static_cast<Duration>(between(options_.delay_least, options_.delay_most));
    at(arrival, [this, from, to = outgoing.to, message = outgoing.message] {
      if (cuts_.contains({from, to}) || !is_up(to)) return;
      in_life(to, now_, [this, from, to, message] {
        step(to, [&](Raft& raft, Output& out) { raft.receive(now_, from, message, out); });
      });
    });
  }
}

// The checksum chain covers everything before an entry: equal checksums are equal logs.
void RaftWorld::check_appended(const EntryPtr& entry) {
  const auto key = std::pair<Index, Term>{entry->index(), entry->term()};
  const auto [known, is_new] = checksums_.emplace(key, entry->checksum());
  EXPECT_EQ(known->second, entry->checksum()) << "logs do not match at index " << entry->index();
}

void RaftWorld::check_committed(NodeId id, const EntryPtr& entry, std::uint64_t hash) {
  const Committed mine{entry->term(), entry->checksum(), raft(id).term(), hash};
  const auto [known, is_new] = committed_.emplace(entry->index(), mine);
  EXPECT_EQ(known->second.term, entry->term()) << "index " << entry->index();
  EXPECT_EQ(known->second.checksum, entry->checksum()) << "index " << entry->index();
  EXPECT_EQ(known->second.hash, hash) << "states differ at index " << entry->index();
  if (!is_new) return;
  const auto copies = std::count_if(members_.begin(), members_.end(), [&](const auto& item) {
    const auto& [node, member] = item;
    const Store& voting = member.store.id == 1000 + node ? member.store : member.voting;
    return voting.holds(entry->index(), entry->term());
  });
  EXPECT_GT(2 * copies, static_cast<std::ptrdiff_t>(options_.members))
      << "index " << entry->index() << " was committed without being stored by a quorum";
}

void RaftWorld::check_leader(NodeId id) {
  const Member& member = members_.at(id);
  if (!member.raft->leads()) return;
  const Term term = member.raft->term();
  const auto [known, is_new] = leaders_.emplace(term, std::pair{id, member.life});
  EXPECT_EQ(known->second, std::pair(id, member.life)) << "two leaders in term " << term;
  if (!is_new) return;
  for (auto at = committed_.lower_bound(member.raft->first_index()); at != committed_.end(); ++at) {
    if (at->second.in_term >= term) continue;
    const EntryPtr entry = member.raft->entry(at->first);
    ASSERT_NE(entry, nullptr) << "a leader lacks committed index " << at->first;
    EXPECT_EQ(entry->term(), at->second.term) << "a leader lacks committed index " << at->first;
  }
}

void RaftWorld::check_answers(NodeId id, const Output& out) {
  for (const std::uint64_t nonce : out.confirmed) {
    EXPECT_TRUE(confirmed_.insert(nonce).second) << "confirmed twice";
    EXPECT_FALSE(refused_.contains(nonce));
    EXPECT_TRUE(raft(id).leader_ready());
    EXPECT_GE(raft(id).commit_index(), asked_.at(nonce)) << "a deposed leader was confirmed";
  }
  for (const std::uint64_t nonce : out.confirm_failed) {
    EXPECT_TRUE(refused_.insert(nonce).second) << "refused twice";
    EXPECT_FALSE(confirmed_.contains(nonce));
  }
}

}  // namespace failsim::raft
