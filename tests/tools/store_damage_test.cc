// Damage to the files of a store, and what the store makes of it.
#include "tools/failsim/store_damage.h"

#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "cluster/raft/checksum.h"
#include "storage/rocks_store.h"
#include "tests/temporary_directory.h"
#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

class StoreDamage : public testing::Test {
 protected:
  void SetUp() override {
    StoreIdentity identity;
    identity.node = 2;
    identity.store_id = 7;
    ASSERT_FALSE(RocksStore::format(path_, identity));
    auto store = open();
    ASSERT_NE(store, nullptr);
    for (int i = 0; i < 5; ++i) write(*store);
  }

  std::unique_ptr<RocksStore> open() {
    auto opened = RocksStore::open(path_);
    if (opened) return opened.take();
    refusal_ = opened.error();
    return nullptr;
  }
  void write(RocksStore& store) {
    pb::LogEntry entry;
    entry.set_index(last_.index() + 1);
    entry.set_term(1);
    entry.set_command("something to remember, number " + std::to_string(entry.index()));
    entry.set_checksum(raft::chain_checksum(last_.checksum(), entry));
    last_.set_index(entry.index());
    last_.set_checksum(entry.checksum());
    DurableBatch batch;
    batch.append.push_back(std::make_shared<const pb::LogEntry>(entry));
    batch.rows.push_back({"row/" + std::to_string(entry.index()), "content"});
    ASSERT_FALSE(store.write(batch));
  }
  // How many entries a process finds; none if it refuses to start.
  std::size_t found() {
    const auto store = open();
    if (store == nullptr) return 0;
    const auto recovered = store->recover();
    if (recovered) return recovered.value().entries.size();
    refusal_ = recovered.error();
    return 0;
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "db";
  pb::LogStart last_;
  Error refusal_;
};

TEST_F(StoreDamage, AFlippedBitOfTheLogIsRefusedUntilItIsFlippedBack) {
  const FlippedBit flipped = flip_bit(path_, StorePart::kLog);
  EXPECT_EQ(found(), 0u);
  EXPECT_EQ(refusal_.code, Code::kInvalidData);
  EXPECT_NE(refusal_.message.find("is damaged"), std::string::npos) << refusal_.message;
  flip_back(flipped);
  EXPECT_EQ(found(), 5u);
}

TEST_F(StoreDamage, AFlippedBitOfATableIsRefusedUntilItIsFlippedBack) {
  EXPECT_EQ(found(), 5u) << "opening has settled the log into a table";
  const FlippedBit flipped = flip_bit(path_, StorePart::kTable);
  EXPECT_EQ(found(), 0u);
  EXPECT_EQ(refusal_.code, Code::kInvalidData) << refusal_.message;
  flip_back(flipped);
  EXPECT_EQ(found(), 5u);
}

TEST_F(StoreDamage, AWriteThatWasCutOffIsCutOffForGood) {
  tear_log(path_);
  EXPECT_EQ(found(), 5u);
  auto store = open();
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(store->recover().ok());
  write(*store);
  store.reset();
  EXPECT_EQ(found(), 6u);
}

TEST_F(StoreDamage, DamageToTheOnlyRecordWouldBeTakenForACutOffWriteAndIsNotDone) {
  EXPECT_EQ(found(), 5u) << "opening begins a new log with one record";
  EXPECT_THROW(flip_bit(path_, StorePart::kLog), Failure);
  EXPECT_EQ(found(), 5u);
}

TEST_F(StoreDamage, StoresThatAreRotatedComeBackInTheOtherDirection) {
  const std::string other = directory_ / "other";
  StoreIdentity identity;
  identity.node = 3;
  ASSERT_FALSE(RocksStore::format(other, identity));
  rotate_stores({path_, other});
  EXPECT_EQ(RocksStore::open(path_).take()->identity().node, 3u);
  EXPECT_EQ(RocksStore::open(other).take()->identity().node, 2u);
  rotate_stores({other, path_});
  EXPECT_EQ(RocksStore::open(path_).take()->identity().node, 2u);
}

TEST_F(StoreDamage, AStoreCanBeLookedAtWhileItIsOpen) {
  const auto store = open();
  ASSERT_NE(store, nullptr);
  const auto content = RocksStore::look(path_);
  ASSERT_TRUE(content.ok()) << content.error().message;
  EXPECT_EQ(content.value().identity.node, 2u);
  EXPECT_EQ(content.value().recovered.entries.size(), 5u);
}

}  // namespace
}  // namespace failsim::cli
