// What every store promises, whatever it is made of.
#include <memory>

#include <gtest/gtest.h>

#include "storage/memory_store.h"
#include "storage/rocks_store.h"
#include "tests/storage/history.h"
#include "tests/temporary_directory.h"

namespace failsim {
namespace {

class MemoryDisk {
 public:
  Store& open() {
    if (!store_) {
      const StoreIdentity identity = some_identity();
      store_ = MemoryStore::format(identity.node, identity.store_id, identity.bootstrap);
    }
    store_->open();
    return *store_;
  }
  void close() { store_->close(); }

 private:
  std::unique_ptr<MemoryStore> store_;
};

class RocksDisk {
 public:
  RocksDisk() { EXPECT_FALSE(RocksStore::format(directory_ / "db", some_identity())); }

  Store& open() {
    auto opened = RocksStore::open(directory_ / "db");
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    store_ = opened.take();
    return *store_;
  }
  void close() { store_.reset(); }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<RocksStore> store_;
};

template <typename Disk>
class AnyStore : public ::testing::Test {
 protected:
  Store& open() { return *(store_ = &disk_.open()); }
  Store& reopen() {
    disk_.close();
    return open();
  }
  void write(const DurableBatch& batch) {
    const auto error = store_->write(batch);
    ASSERT_FALSE(error) << error->message;
  }
  Recovered recover() {
    auto recovered = store_->recover();
    EXPECT_TRUE(recovered.ok()) << recovered.error().message;
    return recovered.take();
  }

  Disk disk_;
  Store* store_ = nullptr;
};

using Disks = ::testing::Types<MemoryDisk, RocksDisk>;
TYPED_TEST_SUITE(AnyStore, Disks);

TYPED_TEST(AnyStore, IsEmptyWhenItIsNew) {
  this->open();
  EXPECT_EQ(text_of(this->recover()), text_of(Recovered()));
}

TYPED_TEST(AnyStore, KnowsWhoItIsAndHowOftenItWasOpened) {
  const StoreIdentity& first = this->open().identity();
  EXPECT_EQ(first.node, some_identity().node);
  EXPECT_EQ(first.store_id, some_identity().store_id);
  EXPECT_EQ(first.bootstrap.cluster_name(), "test");
  EXPECT_EQ(first.starts, 1u);
  EXPECT_EQ(this->reopen().identity().starts, 2u);
  EXPECT_EQ(this->reopen().identity().starts, 3u);
}

// Of the promises of a store this is what others can hold against it.
TYPED_TEST(AnyStore, RemembersHowMuchEachStartHadSynced) {
  this->open();
  EntryChain chain;
  DurableBatch batch;
  batch.append.push_back(chain.append(1, "entry"));
  batch.synced = 1;
  this->write(batch);
  DurableBatch unsynced;
  unsynced.rows = {{"vm/a", "1"}};
  this->write(unsynced);
  this->reopen();
  this->reopen();
  const Recovered recovered = this->recover();
  EXPECT_EQ(recovered.synced, 1u);
  ASSERT_EQ(recovered.starts.size(), 3u);
  EXPECT_EQ(recovered.starts[0].synced, 0u);
  EXPECT_EQ(recovered.starts[1].synced, 1u);
  EXPECT_EQ(recovered.starts[2].synced, 1u);
}

TYPED_TEST(AnyStore, RefusesToGiveBackWhatIsSuperseded) {
  this->open();
  DurableBatch mark;
  mark.retired = true;
  EXPECT_TRUE(mark.needs_sync());
  this->write(mark);
  const auto recovered = this->reopen().recover();
  ASSERT_FALSE(recovered.ok());
  EXPECT_EQ(recovered.error().code, Code::kInvalidState);
  EXPECT_NE(recovered.error().message.find("superseded"), std::string::npos);
}

TYPED_TEST(AnyStore, GivesBackWhatAnyHistoryWrote) {
  this->open();
  const History history = draw_history(1, 150);
  for (std::size_t i = 0; i < history.batches.size(); ++i) {
    this->write(history.batches[i]);
    if (i % 10 != 9) continue;
    this->reopen();
    ASSERT_EQ(text_of(this->recover()), history.texts[i + 1]) << "after batch " << i;
  }
}

TYPED_TEST(AnyStore, AppendsBehindATruncationOfTheSameBatch) {
  this->open();
  EntryChain chain;
  DurableBatch first;
  for (int i = 0; i < 5; ++i) first.append.push_back(chain.append(1, "old"));
  this->write(first);
  DurableBatch second;
  second.truncate_from = 3;
  chain.truncate_from(3);
  second.append.push_back(chain.append(2, "new"));
  this->write(second);
  this->reopen();
  const Recovered recovered = this->recover();
  ASSERT_EQ(recovered.entries.size(), 3u);
  EXPECT_EQ(recovered.entries[1]->command(), "old");
  EXPECT_EQ(recovered.entries[2]->command(), "new");
}

TYPED_TEST(AnyStore, CompactsUpToAndIncludingItsStart) {
  this->open();
  EntryChain chain;
  DurableBatch batch;
  for (int i = 0; i < 5; ++i) batch.append.push_back(chain.append(1, "entry"));
  batch.applied = 4;
  this->write(batch);
  DurableBatch compaction;
  compaction.log_start = chain.position(3);
  this->write(compaction);
  this->reopen();
  const Recovered recovered = this->recover();
  ASSERT_EQ(recovered.entries.size(), 2u);
  EXPECT_EQ(recovered.entries[0]->index(), 4u);
  EXPECT_EQ(recovered.log_start.index(), 3u);
}

TYPED_TEST(AnyStore, ASnapshotReplacesEveryRow) {
  this->open();
  DurableBatch rows;
  rows.rows = {{"cluster", "1"}, {"vm/a", "2"}, {"vm/b", "3"}};
  this->write(rows);
  DurableBatch snapshot;
  snapshot.log_start.emplace();
  snapshot.log_start->set_index(9);
  snapshot.replace_rows = true;
  snapshot.rows = {{"vm/b", "4"}, {"vm/c", "5"}};
  snapshot.applied = 9;
  this->write(snapshot);
  this->reopen();
  const Recovered recovered = this->recover();
  ASSERT_EQ(recovered.rows.size(), 2u);
  EXPECT_EQ(recovered.rows[0].key, "vm/b");
  EXPECT_EQ(recovered.rows[0].value, "4");
  EXPECT_EQ(recovered.rows[1].key, "vm/c");
}

TYPED_TEST(AnyStore, KeepsRowsInTheOrderOfTheirKeysAndByteForByte) {
  this->open();
  const std::string zeros("\0\1\0\xff\n", 5);
  DurableBatch batch;
  batch.rows = {{"vm/z", zeros},
                {"property/vm/web/MigrationState", std::string("\2\0\1\0", 4)},
                {"vm/a", ""}};
  this->write(batch);
  this->reopen();
  const Recovered recovered = this->recover();
  ASSERT_EQ(recovered.rows.size(), 3u);
  EXPECT_EQ(recovered.rows[0].value, std::string("\2\0\1\0", 4));
  EXPECT_EQ(recovered.rows[1].key, "vm/a");
  EXPECT_EQ(recovered.rows[1].value, "");
  EXPECT_EQ(recovered.rows[2].value, zeros);
}

TEST(MemoryStore, LosesUnsyncedBatchesFromSomePointOn) {
  const History history = draw_history(7, 60);
  for (std::size_t length = 0; length <= history.batches.size(); ++length) {
    const auto store = MemoryStore::format(1, 2, {});
    store->open();
    std::size_t synced = 0;
    for (std::size_t i = 0; i < length; ++i) {
      ASSERT_FALSE(store->write(history.batches[i]));
      if (history.batches[i].needs_sync()) synced = i + 1;
    }
    ASSERT_EQ(store->unsynced(), length - synced);
    const std::size_t keep = store->unsynced() / 2;
    store->crash(keep);
    EXPECT_FALSE(store->is_open());
    store->open();
    EXPECT_EQ(text_of(store->recover().take()), history.texts[synced + keep]);
  }
}

TEST(MemoryStore, LosesWithThePowerWhatItsDiskOnlySaidToBeSynced) {
  EntryChain chain;
  const auto store = MemoryStore::format(1, 2, {});
  store->open();
  const auto append = [&] {
    DurableBatch batch;
    batch.append.push_back(chain.append(1, "entry"));
    ASSERT_FALSE(store->write(batch));
  };
  append();
  EXPECT_EQ(store->promised(), 0u);
  store->set_lying(true);
  append();
  append();
  EXPECT_EQ(store->promised(), 2u);
  EXPECT_EQ(store->recover().value().entries.size(), 3u) << "until then it is there";
  store->crash(1);
  store->open();
  EXPECT_EQ(store->recover().value().entries.size(), 2u);
}

TEST(MemoryStore, SyncsWhatItHadOnlySaidToBeWhenItIsToldTheTruth) {
  EntryChain chain;
  DurableBatch batch;
  batch.append.push_back(chain.append(1, "entry"));
  const auto store = MemoryStore::format(1, 2, {});
  store->open();
  store->set_lying(true);
  ASSERT_FALSE(store->write(batch));
  store->set_lying(false);
  EXPECT_EQ(store->unsynced(), 0u);
}

TEST(MemoryStore, FailsWritesUntilItIsOpenedAgain) {
  const History history = draw_history(1, 4);
  const auto store = MemoryStore::format(1, 2, {});
  store->open();
  store->fail_writes({Code::kWriteFault, "no", ""}, 2);
  EXPECT_FALSE(store->write(history.batches[0]));
  EXPECT_FALSE(store->write(history.batches[1]));
  EXPECT_TRUE(store->write(history.batches[2]));
  EXPECT_TRUE(store->write(history.batches[3]));
  store->close();
  store->open();
  EXPECT_EQ(text_of(store->recover().take()), history.texts[2]);
  EXPECT_FALSE(store->write(history.batches[2]));
}

TEST(MemoryStore, SharesEntriesWithWhoeverWroteThem) {
  EntryChain chain;
  DurableBatch batch;
  batch.append.push_back(chain.append(1, "entry"));
  const auto store = MemoryStore::format(1, 2, {});
  store->open();
  ASSERT_FALSE(store->write(batch));
  EXPECT_EQ(store->recover().value().entries[0], batch.append[0]);
}

}  // namespace
}  // namespace failsim
