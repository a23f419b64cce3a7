// A node's store on a disk that fails when it is told to.
#include "node/faults/faulty_disk.h"

#include <thread>

#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "storage/rocks_store.h"
#include "tests/temporary_directory.h"

namespace failsim::node {
namespace {

class FaultyDiskTest : public testing::Test {
 protected:
  FaultyDiskTest() : faults([] { return Time{kSecond}; }, 1) {
    faults.set_place(1, {1});
    disk = faulty_disk(faults);
    options.env = disk.get();
    StoreIdentity identity;
    identity.node = 1;
    EXPECT_FALSE(RocksStore::format(path(), identity).has_value());
  }

  std::string path() const { return directory / "db"; }
  void open() {
    auto opened = RocksStore::open(path(), options);
    ASSERT_TRUE(opened) << opened.error().message;
    store = opened.take();
    ASSERT_TRUE(store->recover());
  }
  void inject(const std::string& line) {
    ASSERT_TRUE(faults.inject(++last_id, fault::parse_order(line).value(), "the test"));
  }
  std::optional<Error> write(Term term) {
    DurableBatch batch;
    batch.hard_state.emplace().set_term(term);
    return store->write(batch);
  }

  const TemporaryDirectory directory;
  Switchboard faults;
  std::unique_ptr<rocksdb::Env> disk;
  RocksStoreOptions options;
  std::unique_ptr<RocksStore> store;
  std::uint64_t last_id = 0;
};

TEST_F(FaultyDiskTest, WithoutAFaultItIsADisk) {
  open();
  EXPECT_FALSE(write(3).has_value());
  store.reset();
  auto opened = RocksStore::open(path());
  ASSERT_TRUE(opened);
  store = opened.take();
  EXPECT_EQ(store->recover().value().hard_state.term(), 3u);
}

TEST_F(FaultyDiskTest, AFullDiskSaysSo) {
  open();
  inject("disk-fail node-1 error=ENOSPC");
  const auto error = write(3);
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(error->message.find("No space left"), std::string::npos) << error->message;
  EXPECT_NE(error->next.find("Free space"), std::string::npos) << error->next;
}

TEST_F(FaultyDiskTest, WhatWasSyncedBeforeIsThereAfterwards) {
  open();
  ASSERT_FALSE(write(3).has_value());
  inject("disk-fail node-1 error=EIO");
  ASSERT_TRUE(write(4).has_value());
  EXPECT_TRUE(write(5).has_value()) << "a store that has failed stays so";
  store.reset();
  ASSERT_TRUE(faults.heal(last_id));
  open();
  EXPECT_FALSE(write(6).has_value());
}

TEST_F(FaultyDiskTest, AStalledWriteGoesOnWhenItIsHealed) {
  open();
  inject("disk-stall node-1");
  std::optional<Error> outcome = Error{};
  std::thread writer([&] { outcome = write(3); });
  ASSERT_TRUE(faults.heal(last_id));
  writer.join();
  EXPECT_FALSE(outcome.has_value());
}

}  // namespace
}  // namespace failsim::node
