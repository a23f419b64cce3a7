// What real nodes were told leads the same code to the same steps, whatever ended the nodes.
#include <algorithm>

#include "tests/e2e/running_cluster.h"

namespace failsim::test {
namespace {

class Recorded : public ClusterTest {
 protected:
  std::vector<std::string> recordings() const {
    std::vector<std::string> names;
    for (std::uint32_t node = 1; node <= 3; ++node) {
      for (const auto& entry : cli::fs::directory_iterator(cluster().node(node))) {
        if (entry.path().extension() != ".fsrec") continue;
        names.push_back("node-" + std::to_string(node) + "/" + entry.path().filename().string());
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  // Every recording of the cluster, replayed: all the same.
  json::array replayed() {
    const json::object answer = object("replay " + directory_.string());
    EXPECT_EQ(text_in(answer, "verdict"), "same");
    for (const json::value& recording : cli::array_in(answer, "recordings")) {
      EXPECT_EQ(text_in(recording.as_object(), "verdict"), "same");
      EXPECT_TRUE(flag_in(recording.as_object(), "same_core"));
    }
    return cli::array_in(answer, "recordings");
  }
};

TEST_F(Recorded, ARunWithAMigrationAndAKilledLeaderIsReplayedBitForBit) {
  up("--record");
  object("vm create web --memory 32MiB --working-set 8MiB --owner node-1 --start");
  ASSERT_EQ(run("migrate web --to node-2 --wait").exit, 0);
  const std::string killed = leader();
  ASSERT_EQ(run("node kill " + killed).exit, 0);
  wait_for_node(killed, "Down");
  ASSERT_EQ(run("node start " + killed).exit, 0);
  wait_for_node(killed, "Up");
  object("property set web MigrationState 0");
  const std::uint64_t counted = counter("web");
  wait_for_counter_above("web", counted);
  ASSERT_EQ(run("down").exit, 0);

  const std::vector<std::string> names = recordings();
  ASSERT_EQ(names.size(), 4u) << "one for each start of a process";
  EXPECT_EQ(std::count(names.begin(), names.end(), killed + "/recording-2.fsrec"), 1);
  const json::array found = replayed();
  ASSERT_EQ(found.size(), names.size());
  for (const json::value& value : found) {
    const json::object& recording = value.as_object();
    EXPECT_GT(number_in(recording, "steps"), 20u);
    EXPECT_EQ(number_in(recording, "steps"), number_in(recording, "recorded_steps"));
    const json::object& end = object_in(recording, "end");
    ASSERT_EQ(cli::array_in(end, "vms").size(), 1u);
    EXPECT_EQ(text_in(cli::array_in(end, "vms")[0].as_object(), "name"), "web");
  }
}

TEST_F(Recorded, TheClusterGoesOnBeingRecordedUntilItIsToldNotTo) {
  up("--record-limit 1MiB");
  ASSERT_EQ(run("down").exit, 0);
  EXPECT_EQ(recordings().size(), 3u);
  ASSERT_EQ(run("up --detach").exit, 0);
  ASSERT_EQ(run("down").exit, 0);
  EXPECT_EQ(recordings().size(), 6u);
  ASSERT_EQ(run("up --detach --no-record").exit, 0);
  ASSERT_EQ(run("down").exit, 0);
  ASSERT_EQ(run("up --detach").exit, 0);
  EXPECT_EQ(recordings().size(), 6u);
  EXPECT_EQ(replayed().size(), 6u) << "also while the cluster runs";
  expect_refused("up --record --no-record", 64, Code::kInvalidParameter);
  expect_refused("up --record-limit 1KiB", 64, Code::kInvalidParameter);
}

}  // namespace
}  // namespace failsim::test
