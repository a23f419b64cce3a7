// Nodes whose stores are damaged, mixed up or formatted anew: they say so and take no part.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/e2e/running_cluster.h"
#include "tools/failsim/birth.h"
#include "tools/failsim/nodes.h"

namespace failsim::test {
namespace {

namespace fs = std::filesystem;

class Stores : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    up("--faults --nodes 5");  // two may be missing
    object("vm create web --memory 32MiB --working-set 8MiB --owner node-1 --start");
  }
  std::string inject(const std::string& words) {
    return std::to_string(number_in(object("fault inject " + words), "id"));
  }
  void heal(const std::string& id) { EXPECT_FALSE(array("fault heal " + id).empty()); }
  bool has_logged(std::uint32_t node, const std::string& words) {
    std::ifstream file(cluster().node_log(node));
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    return text.find(words) != std::string::npos;
  }
  bool runs(const std::string& node) { return cli::process_of_node(cluster(), node).has_value(); }
};

TEST_F(Stores, ANodeWithAFlippedBitStaysAwayUntilItIsFlippedBack) {
  for (const std::string part : {"log", "table"}) {
    SCOPED_TRACE(part);
    const std::string fault = inject("disk-flip node-3 part=" + part);
    wait_for_node("node-3", "Down");
    EXPECT_TRUE(until([&] { return has_logged(3, "is damaged") && !runs("node-3"); }));
    object("property set cluster Description " + part);
    heal(fault);
    wait_for_node("node-3", "Up");
  }
}

TEST_F(Stores, ATornWriteIsCutOff) {
  object("property set cluster Description acknowledged");
  heal(inject("disk-tear node-3"));
  wait_for_node("node-3", "Up");
  EXPECT_EQ(text_in(object("property get cluster Description"), "value"), "acknowledged");
}

TEST_F(Stores, NodesRefuseEachOthersStores) {
  const std::string fault = inject("disk-swap node-2,node-3");
  EXPECT_TRUE(until([&] {
    return has_logged(2, "does not belong here") && has_logged(3, "does not belong here");
  }));
  heal(fault);
  wait_for_node("node-2", "Up");
  wait_for_node("node-3", "Up");
}

// A blank store under the old store id would have a vote and know nothing.
TEST_F(Stores, ANodeThatIsFormattedAnewIsNotListenedToAndStops) {
  ASSERT_EQ(run("node kill node-3").exit, 0);
  wait_for_node("node-3", "Down");
  fs::remove_all(cluster().node(3) / "db");
  const Outcome formatted =
      run_program({cli::node_executable().string(), "format", "--dir", cluster().node(3).string(),
                   "--node", "3", "--bootstrap", cluster().bootstrap_file().string()});
  ASSERT_EQ(formatted.exit, 0) << formatted.err;
  run("node start node-3");
  EXPECT_TRUE(until(
      [&] { return has_logged(3, "the others know promises of this node") && !runs("node-3"); }));
  EXPECT_EQ(enum_name_in(object("node show node-3"), "state"), "Down");
}

// As from a backup; it has counted as many starts as the others know by then.
TEST_F(Stores, ANodeWhoseStoreWasPutBackStopsAndRefusesItFromThenOn) {
  const fs::path store = cluster().node(3) / "db";
  const fs::path backup = cluster().node(3) / "backup";
  const auto stopped = [&] {
    ASSERT_EQ(run("node kill node-3").exit, 0);
    wait_for_node("node-3", "Down");
  };
  stopped();
  fs::copy(store, backup, fs::copy_options::recursive);
  run("node start node-3");
  wait_for_node("node-3", "Up");
  stopped();
  fs::rename(store, cluster().node(3) / "newest");
  fs::rename(backup, store);
  run("node start node-3");
  EXPECT_TRUE(until(
      [&] { return has_logged(3, "the others know promises of this node") && !runs("node-3"); }));
  run("node start node-3");
  EXPECT_TRUE(until([&] { return has_logged(3, "is superseded") && !runs("node-3"); }));
  fs::remove_all(store);
  fs::rename(cluster().node(3) / "newest", store);
  run("node start node-3");
  wait_for_node("node-3", "Up");
}

}  // namespace
}  // namespace failsim::test
