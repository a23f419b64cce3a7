// What a node begins with, and which files tell of it.
#include "node/runtime/node_start.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "storage/recording.h"
#include "tests/temporary_directory.h"

namespace failsim::node {
namespace {

class NodeStartTest : public testing::Test {
 protected:
  NodeStartTest() {
    identity.node = 2;
    identity.store_id = 5;
    identity.starts = 3;
  }
  NodeStart start(const std::string& where, std::uint64_t limit_bytes) const {
    return NodeStart(identity, 9, Recovered(), where, limit_bytes);
  }

  const TemporaryDirectory directory;
  StoreIdentity identity;
};

TEST_F(NodeStartTest, TheMemberIsMadeOfTheStoreAndOfChance) {
  const NodeStart one = start(directory.path(), 0);
  const NodeStart other = start(directory.path(), 0);
  EXPECT_EQ(one.member().self, 2u);
  EXPECT_EQ(one.member().store_id, 5u);
  EXPECT_EQ(one.member().incarnation, 9u);
  EXPECT_NE(one.member().random_seed, other.member().random_seed);
  EXPECT_LE(one.at(), other.at());
}

TEST_F(NodeStartTest, NothingIsWrittenUnlessItIsWanted) {
  NodeStart silent = start(directory.path(), 0);
  EXPECT_FALSE(silent.recorder().is_recording());
  EXPECT_EQ(silent.observations(), nullptr);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST_F(NodeStartTest, ARecordedStartHasItsNumberInItsFiles) {
  NodeStart recorded = start(directory.path(), kDefaultRecordLimitBytes);
  EXPECT_TRUE(recorded.recorder().is_recording());
  EXPECT_NE(recorded.observations(), nullptr);
  EXPECT_TRUE(std::filesystem::exists(directory / recording_name(3)));
  EXPECT_TRUE(std::filesystem::exists(directory / observations_name(3)));
}

TEST_F(NodeStartTest, ANodeThatCannotWriteThemDownStartsAllTheSame) {
  NodeStart start_elsewhere = start(directory / "missing", kDefaultRecordLimitBytes);
  EXPECT_FALSE(start_elsewhere.recorder().is_recording());
  EXPECT_EQ(start_elsewhere.observations(), nullptr);
  EXPECT_EQ(start_elsewhere.member().self, 2u);
}

}  // namespace
}  // namespace failsim::node
