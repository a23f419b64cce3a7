#include "node/runtime/storage_writer.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace failsim::node {
namespace {

// A disk whose writes wait until they are let through, and that can break.
class GatedStore final : public Store {
 public:
  const StoreIdentity& identity() const override { return identity_; }
  Result<Recovered> recover() override { return Recovered(); }

  std::optional<Error> write(const DurableBatch& batch) override {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
    if (is_broken_) return Error{Code::kWriteFault, "no space", ""};
    std::vector<std::string> keys;
    for (const RowChange& row : batch.rows) keys.push_back(row.key);
    writes_.push_back(std::move(keys));
    return std::nullopt;
  }

  void wait_until_begun(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ >= count; });
  }
  void open(bool is_broken = false) {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    is_broken_ = is_broken;
    changed_.notify_all();
  }
  std::vector<std::vector<std::string>> writes() {
    const std::lock_guard lock(mutex_);
    return writes_;
  }

 private:
  StoreIdentity identity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int begun_ = 0;
  bool is_open_ = false;
  bool is_broken_ = false;
  std::vector<std::vector<std::string>> writes_;
};

class StorageWriterTest : public testing::Test {
 protected:
  StorageWriter::Calls calls() {
    return {[this](std::uint64_t sequence) { hear([&] { written_.push_back(sequence); }); },
            [this](std::string reason) { hear([&] { failed_.push_back(std::move(reason)); }); }};
  }
  template <typename Change>
  void hear(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <typename Condition>
  void wait_until(Condition holds) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, holds);
  }
  static DurableBatch row(const std::string& key) {
    DurableBatch batch;
    batch.rows.push_back({key, "value"});
    return batch;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> written_;
  std::vector<std::string> failed_;
  GatedStore store_;
};

TEST_F(StorageWriterTest, WhatGathersDuringAWriteIsWrittenTogetherAndInOrder) {
  StorageWriter writer(store_, calls());
  writer.submit(1, row("a"));
  store_.wait_until_begun(1);
  writer.submit(2, row("b"));
  writer.submit(3, row("c"));
  writer.submit(5, row("d"));
  store_.open();
  wait_until([&] { return written_.size() == 2; });
  EXPECT_EQ(written_, (std::vector<std::uint64_t>{1, 5}));
  EXPECT_EQ(store_.writes(), (std::vector<std::vector<std::string>>{{"a"}, {"b", "c", "d"}}));
}

TEST_F(StorageWriterTest, ASnapshotIsWrittenByItselfBetweenTheOthers) {
  StorageWriter writer(store_, calls());
  writer.submit(1, row("a"));
  store_.wait_until_begun(1);
  DurableBatch snapshot = row("s");
  snapshot.replace_rows = true;
  writer.submit(2, row("b"));
  writer.submit(3, std::move(snapshot));
  writer.submit(4, row("c"));
  store_.open();
  wait_until([&] { return written_.size() == 4; });
  EXPECT_EQ(written_, (std::vector<std::uint64_t>{1, 2, 3, 4}));
}

TEST_F(StorageWriterTest, AfterAFailureNothingMoreIsWrittenOrSaid) {
  {
    StorageWriter writer(store_, calls());
    writer.submit(1, row("a"));
    store_.wait_until_begun(1);
    writer.submit(2, row("b"));
    store_.open(true);
    wait_until([&] { return !failed_.empty(); });
    writer.submit(3, row("c"));
  }
  EXPECT_TRUE(written_.empty());
  EXPECT_EQ(failed_, std::vector<std::string>{"no space"});
  EXPECT_TRUE(store_.writes().empty());
}

TEST_F(StorageWriterTest, WhatWasHandedOverIsWrittenBeforeItEnds) {
  store_.open();
  {
    StorageWriter writer(store_, calls());
    for (std::uint64_t n = 1; n <= 100; ++n) writer.submit(n, row(std::to_string(n)));
  }
  ASSERT_FALSE(written_.empty());
  EXPECT_EQ(written_.back(), 100u);
}

TEST_F(StorageWriterTest, IsFullWhenTooMuchWaits) {
  StorageWriter writer(store_, calls());
  EXPECT_FALSE(writer.is_full());
  DurableBatch large;
  large.rows.push_back({"large", std::string(StorageWriter::kFullBytes, 'x')});
  writer.submit(1, std::move(large));
  EXPECT_TRUE(writer.is_full());
  store_.open();
  wait_until([&] { return !written_.empty(); });
  EXPECT_FALSE(writer.is_full());
}

}  // namespace
}  // namespace failsim::node
