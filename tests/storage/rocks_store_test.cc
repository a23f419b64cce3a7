#include "storage/rocks_store.h"

#include <filesystem>
#include <iterator>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/fault_file_system.h"
#include "tests/file_content.h"
#include "tests/storage/history.h"
#include "tests/temporary_directory.h"

namespace failsim {
namespace {

namespace fs = std::filesystem;

class RocksStoreTest : public ::testing::Test {
 protected:
  RocksStoreTest() { EXPECT_FALSE(RocksStore::format(path_, some_identity(), {disk_.env()})); }

  std::unique_ptr<RocksStore> open() {
    auto opened = RocksStore::open(path_, {disk_.env()});
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return opened.ok() ? opened.take() : nullptr;
  }

  // The files as a power cut leaves them: the store that writes them is never closed properly.
  void write_and_copy(const History& history, const std::string& copy) {
    const auto store = open();
    for (const DurableBatch& batch : history.batches) ASSERT_FALSE(store->write(batch));
    fs::remove_all(copy);
    fs::copy(path_, copy, fs::copy_options::recursive);
  }

  // What a store says after it was opened: its text, or the sentence of a refusal.
  struct Outcome {
    bool is_open = false;
    std::string text;
  };

  Outcome outcome_of(const std::string& path) {
    auto opened = RocksStore::open(path, {disk_.env()});
    if (!opened) return {false, opened.error().message};
    auto recovered = opened.value()->recover();
    if (!recovered) return {false, recovered.error().message};
    return {true, text_of(recovered.value())};
  }

  TemporaryDirectory directory_;
  FaultFileSystem disk_;  // without a fault: only much faster than one that really syncs
  const std::string path_ = directory_ / "db";
};

// The write-ahead log with something in it.
std::string log_file(const std::string& path) {
  std::string found;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() == ".log" && entry.file_size() > 0) found = entry.path();
  }
  return found;
}

History synced_history(std::size_t batches) {
  History history;
  EntryChain chain;
  Recovered state;
  history.texts.push_back(text_of(state));
  for (std::size_t i = 0; i < batches; ++i) {
    DurableBatch batch;
    batch.append.push_back(chain.append(1, "command " + std::to_string(i)));
    state.entries.push_back(batch.append[0]);
    history.batches.push_back(batch);
    history.texts.push_back(text_of(state));
  }
  return history;
}

TEST_F(RocksStoreTest, IsFormattedOnce) {
  const History history = synced_history(3);
  {
    const auto store = open();
    for (const DurableBatch& batch : history.batches) ASSERT_FALSE(store->write(batch));
  }
  StoreIdentity other = some_identity();
  other.store_id = 99;
  const auto error = RocksStore::format(path_, other, {disk_.env()});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::kAlreadyExists);
  EXPECT_NE(error->message.find(path_), std::string::npos);
  EXPECT_EQ(open()->identity().store_id, some_identity().store_id);
  EXPECT_EQ(outcome_of(path_).text, history.texts.back());
}

TEST_F(RocksStoreTest, IsNotOpenedUnformatted) {
  const auto missing = RocksStore::open(directory_ / "nothing");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_FALSE(fs::exists(directory_ / "nothing"));
}

TEST_F(RocksStoreTest, IsNotOpenedTwice) {
  const auto store = open();
  const auto second = RocksStore::open(path_, {disk_.env()});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kAlreadyExists) << second.error().message;
}

TEST_F(RocksStoreTest, IsNotMadeWhereThereIsNoParent) {
  const auto error = RocksStore::format(directory_ / "no/such/place", some_identity());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::kWriteFault);
}

TEST_F(RocksStoreTest, KeepsThePrefixWhenTheLastRecordIsTornAtAnyByte) {
  const History history = synced_history(5);
  const std::string copy = directory_ / "copy";
  const std::string torn = directory_ / "torn";
  {
    const auto store = open();
    std::uint64_t before_last = 0;
    for (std::size_t i = 0; i < history.batches.size(); ++i) {
      before_last = fs::file_size(log_file(path_));
      ASSERT_FALSE(store->write(history.batches[i]));
    }
    fs::copy(path_, copy, fs::copy_options::recursive);
    const std::string log = log_file(copy);
    const std::string bytes = content_of(log);
    ASSERT_GT(bytes.size(), before_last);
    for (std::size_t length = before_last; length < bytes.size(); ++length) {
      for (const bool with_zeros : {false, true}) {
        fs::remove_all(torn);
        fs::copy(copy, torn, fs::copy_options::recursive);
        std::string cut = bytes.substr(0, length);
        // The bytes a file system never wrote of a file whose length it had.
        if (with_zeros) cut.resize(bytes.size(), '\0');
        set_content(log_file(torn), cut);
        const Outcome outcome = outcome_of(torn);
        ASSERT_TRUE(outcome.is_open) << length << ": " << outcome.text;
        ASSERT_EQ(outcome.text, history.texts[4]) << length;
        ASSERT_EQ(outcome_of(torn).text, history.texts[4]) << "opened again";
      }
    }
  }
}

// RocksDB begins a new log, with an empty record in it, before it notes that the torn one is done.
TEST_F(RocksStoreTest, KeepsThePrefixWhenTheProcessIsKilledWhileItOpensATornLog) {
  const History history = synced_history(5);
  const std::string copy = directory_ / "copy";
  const std::string torn = directory_ / "torn";
  write_and_copy(history, copy);
  const std::string bytes = content_of(log_file(copy));
  set_content(log_file(copy), bytes.substr(0, bytes.size() - 1));
  bool is_open = false;
  for (std::uint64_t operations = 1; !is_open; ++operations) {
    fs::remove_all(torn);
    fs::copy(copy, torn, fs::copy_options::recursive);
    disk_.power_off_in(operations);
    is_open = RocksStore::open(torn, {disk_.env()}).ok();
    disk_.restart_process();
    const Outcome outcome = outcome_of(torn);
    ASSERT_TRUE(outcome.is_open) << operations << ": " << outcome.text;
    ASSERT_EQ(outcome.text, history.texts[4]) << operations;
  }
}

TEST_F(RocksStoreTest, RefusesAFlippedByteBeforeTheLastRecordOfTheLog) {
  const History history = synced_history(5);
  const std::string copy = directory_ / "copy";
  write_and_copy(history, copy);
  const std::string log = log_file(copy);
  const std::string name = fs::path(log).filename();
  const std::string bytes = content_of(log);
  const std::string flipped = directory_ / "flipped";
  std::size_t kept_prefix = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    fs::remove_all(flipped);
    fs::copy(copy, flipped, fs::copy_options::recursive);
    std::string bad = bytes;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    set_content(flipped + "/" + name, bad);
    const Outcome outcome = outcome_of(flipped);
    if (!outcome.is_open) {
      EXPECT_NE(outcome.text.find("is damaged"), std::string::npos) << outcome.text;
      continue;
    }
    ASSERT_EQ(outcome.text, history.texts[4]) << "byte " << at;
    ++kept_prefix;
  }
  // Only the last record may be taken for a torn one.
  EXPECT_LT(kept_prefix, bytes.size() / 3);
  EXPECT_GT(kept_prefix, 0u);
}

TEST_F(RocksStoreTest, NeverGivesBackSomethingElseWhenAFileIsDamaged) {
  const History history = draw_history(5, 60, 400);
  {
    const auto store = open();
    for (std::size_t i = 0; i < 30; ++i) ASSERT_FALSE(store->write(history.batches[i]));
  }
  {
    const auto store = open();  // what was in the log moves into a table
    for (std::size_t i = 30; i < 60; ++i) ASSERT_FALSE(store->write(history.batches[i]));
  }
  const std::string copy = directory_ / "copy";
  const std::set<std::string> allowed(history.texts.begin() + 1, history.texts.end());
  fs::copy(path_, copy, fs::copy_options::recursive);
  const std::string flipped = directory_ / "flipped";
  for (const auto& entry : fs::directory_iterator(copy)) {
    const std::string name = entry.path().filename();
    if (name.rfind("LOG", 0) == 0 || name.rfind("OPTIONS", 0) == 0 || name == "IDENTITY") continue;
    const std::string bytes = content_of(entry.path());
    for (std::size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 60) {
      fs::remove_all(flipped);
      fs::copy(copy, flipped, fs::copy_options::recursive);
      std::string bad = bytes;
      bad[at] = static_cast<char>(bad[at] ^ 0x04);
      set_content(flipped + "/" + name, bad);
      const Outcome outcome = outcome_of(flipped);
      if (!outcome.is_open) continue;
      const bool is_log = entry.path().extension() == ".log";
      if (is_log)
        EXPECT_TRUE(allowed.contains(outcome.text)) << name << " at " << at;
      else
        EXPECT_EQ(outcome.text, history.texts.back()) << name << " at " << at;
    }
  }
}

TEST_F(RocksStoreTest, RefusesALogWithAHole) {
  EntryChain chain;
  DurableBatch batch;
  batch.append.push_back(chain.append(1, "first"));
  chain.append(1, "missing");
  batch.append.push_back(chain.append(1, "third"));
  {
    const auto store = open();
    ASSERT_FALSE(store->write(batch));
  }
  const Outcome outcome = outcome_of(path_);
  EXPECT_FALSE(outcome.is_open);
  EXPECT_NE(outcome.text.find("log entry 3 follows entry 1"), std::string::npos) << outcome.text;
}

TEST_F(RocksStoreTest, RefusesAnEntryThatIsNotOfItsChain) {
  EntryChain chain;
  EntryChain other;
  DurableBatch batch;
  batch.append.push_back(chain.append(1, "first"));
  other.append(1, "another first");
  batch.append.push_back(other.append(1, "second"));
  {
    const auto store = open();
    ASSERT_FALSE(store->write(batch));
  }
  const Outcome outcome = outcome_of(path_);
  EXPECT_FALSE(outcome.is_open);
  EXPECT_NE(outcome.text.find("checksum"), std::string::npos) << outcome.text;
}

TEST_F(RocksStoreTest, RefusesRowsThatAreAheadOfTheLog) {
  DurableBatch batch;
  batch.applied = 7;
  {
    const auto store = open();
    ASSERT_FALSE(store->write(batch));
  }
  EXPECT_FALSE(outcome_of(path_).is_open);
}

struct Refusal {
  const char* name;
  FaultFileSystem::Call call;
  FaultFileSystem::Kind kind;
};

void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.name;
}

class RefusedWrite : public ::testing::TestWithParam<Refusal> {};

INSTANTIATE_TEST_SUITE_P(
    Disk, RefusedWrite,
    ::testing::Values(
        Refusal{"NoSpaceToAppend", FaultFileSystem::Call::kAppend, FaultFileSystem::Kind::kNoSpace},
        Refusal{"ErrorOfAppend", FaultFileSystem::Call::kAppend, FaultFileSystem::Kind::kIoError},
        Refusal{"NoSpaceToSync", FaultFileSystem::Call::kSync, FaultFileSystem::Kind::kNoSpace},
        Refusal{"ErrorOfSync", FaultFileSystem::Call::kSync, FaultFileSystem::Kind::kIoError}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_P(RefusedWrite, IsTheLastOneAndLosesNothingBeforeIt) {
  TemporaryDirectory directory;
  FaultFileSystem disk;
  const std::string path = directory / "db";
  const History history = synced_history(6);
  ASSERT_FALSE(RocksStore::format(path, some_identity(), {disk.env()}));
  auto opened = RocksStore::open(path, {disk.env()});
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  auto store = opened.take();
  for (std::size_t i = 0; i < 3; ++i) ASSERT_FALSE(store->write(history.batches[i]));

  disk.fail(GetParam().call, GetParam().kind, 0, true);
  const auto first = store->write(history.batches[3]);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->code, Code::kWriteFault);
  EXPECT_NE(first->message.find(path), std::string::npos);
  const std::uint64_t operations = disk.operations();
  disk.heal();
  const auto second = store->write(history.batches[4]);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->message, first->message);
  EXPECT_FALSE(store->recover().ok());
  EXPECT_EQ(disk.operations(), operations) << "nothing touches the disk any more";
  store.reset();

  opened = RocksStore::open(path, {disk.env()});
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const std::string text = text_of(opened.value()->recover().take());
  EXPECT_TRUE(text == history.texts[3] || text == history.texts[4]) << text;
  EXPECT_FALSE(opened.value()->write(history.batches[text == history.texts[3] ? 3 : 4]));
}

TEST(FullDisk, IsASentenceWhenAStoreIsOpened) {
  TemporaryDirectory directory;
  FaultFileSystem disk;
  const std::string path = directory / "db";
  ASSERT_FALSE(RocksStore::format(path, some_identity(), {disk.env()}));
  disk.fail(FaultFileSystem::Call::kAppend, FaultFileSystem::Kind::kNoSpace, 0);
  const auto opened = RocksStore::open(path, {disk.env()});
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("No space left"), std::string::npos);
  disk.heal();
  EXPECT_TRUE(RocksStore::open(path, {disk.env()}).ok());
}

}  // namespace
}  // namespace failsim
