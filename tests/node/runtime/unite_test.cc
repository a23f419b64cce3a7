#include "node/runtime/unite.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "cluster/random.h"

namespace failsim::node {
namespace {

EntryPtr entry(Index index, Term term) {
  auto made = std::make_shared<pb::LogEntry>();
  made->set_index(index);
  made->set_term(term);
  return made;
}

// What a store holds, by the rules of cluster/durable.h.
struct Disk {
  std::map<Index, Term> log;
  std::map<std::string, std::string> rows;
  Term term = 0;
  Index applied = 0;
  bool operator==(const Disk&) const = default;

  void write(const DurableBatch& batch) {
    if (batch.hard_state) term = batch.hard_state->term();
    if (batch.truncate_from != 0) log.erase(log.lower_bound(batch.truncate_from), log.end());
    for (const EntryPtr& each : batch.append) {
      if (!log.empty()) {
        ASSERT_EQ(each->index(), log.rbegin()->first + 1);
      }
      log[each->index()] = each->term();
    }
    if (batch.log_start) log.erase(log.begin(), log.upper_bound(batch.log_start->index()));
    if (batch.replace_rows) rows.clear();
    for (const RowChange& row : batch.rows) {
      if (row.value) {
        rows[row.key] = *row.value;
      } else {
        rows.erase(row.key);
      }
    }
    if (batch.applied) applied = *batch.applied;
  }
};

TEST(Unite, ATruncationTakesBackWhatWasNotWrittenYet) {
  DurableBatch first;
  first.append = {entry(5, 1), entry(6, 1), entry(7, 1)};
  DurableBatch next;
  next.truncate_from = 6;
  next.append = {entry(6, 2)};
  unite(first, std::move(next));
  EXPECT_EQ(first.truncate_from, 0u);
  ASSERT_EQ(first.append.size(), 2u);
  EXPECT_EQ(first.append.back()->term(), 2u);
}

TEST(Unite, ATruncationBeforeTheUnwrittenReachesTheStore) {
  DurableBatch first;
  first.append = {entry(5, 1)};
  DurableBatch next;
  next.truncate_from = 3;
  next.append = {entry(3, 2)};
  unite(first, std::move(next));
  EXPECT_EQ(first.truncate_from, 3u);
  ASSERT_EQ(first.append.size(), 1u);
  EXPECT_EQ(first.append.front()->index(), 3u);
}

TEST(Unite, ASnapshotIsWrittenAlone) {
  DurableBatch snapshot;
  snapshot.replace_rows = true;
  EXPECT_FALSE(can_unite(snapshot, {}));
  EXPECT_FALSE(can_unite({}, snapshot));
}

// Any sequence of batches, united or one by one, leaves the same on disk.
TEST(Unite, HasTheEffectOfWritingInARow) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    Disk one_by_one;
    Disk at_once;
    DurableBatch united;
    Index last = 0;
    Index start = 0;
    for (int n = 0; n < 8; ++n) {
      DurableBatch batch;
      if (random.below(4) == 0 && last > start) {
        batch.truncate_from = start + 1 + random.below(last - start);
        last = batch.truncate_from - 1;
      }
      for (std::uint64_t i = random.below(4); i > 0; --i) {
        batch.append.push_back(entry(++last, static_cast<Term>(n)));
      }
      if (random.below(6) == 0 && last > start) {
        start += random.below(last - start);
        batch.log_start.emplace().set_index(start);
      }
      if (random.below(2) == 0) batch.hard_state.emplace().set_term(static_cast<Term>(n));
      if (random.below(2) == 0) batch.rows.push_back({std::to_string(random.below(3)), "x"});
      if (random.below(3) == 0) batch.rows.push_back({std::to_string(random.below(3)), {}});
      if (random.below(2) == 0) batch.applied = last;
      one_by_one.write(batch);
      ASSERT_TRUE(can_unite(united, batch));
      unite(united, std::move(batch));
    }
    at_once.write(united);
    ASSERT_EQ(at_once, one_by_one) << "seed " << seed;
  }
}

}  // namespace
}  // namespace failsim::node
