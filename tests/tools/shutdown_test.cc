// The processes of a small cluster are taken down, in order or at once.
#include "tools/failsim/shutdown.h"

#include <csignal>
#include <map>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/temporary_directory.h"
#include "tools/failsim/birth.h"

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;

class ShutdownTest : public testing::Test {
 protected:
  ShutdownTest() {
    children_.start_volume();
    children_.start_node(1);
    started_ = children_.running();
  }

  // Waits for its end; the status of it.
  int end_of(const std::string& name) {
    EXPECT_TRUE(wait_until_gone(started_.find(name)->process, milliseconds(60'000))) << name;
    while (const std::optional<Children::Ended> ended = children_.reap()) {
      statuses_[ended->child.name] = ended->status;
    }
    return statuses_.at(name);
  }

  const TemporaryDirectory base_;
  const ClusterDirectory directory_{base_.path()};
  const ClusterDescription description_ =
      create_cluster(directory_, {.name = "lab", .nodes = 1, .properties = {}});
  Children children_{directory_, description_, false};
  RunningProcesses started_;
  std::map<std::string, int> statuses_;
  Shutdown shutdown_{children_, milliseconds(60'000)};
};

TEST_F(ShutdownTest, TheVolumeIsTheLastToGo) {
  shutdown_.advance();
  EXPECT_FALSE(shutdown_.has_begun());
  shutdown_.ask(SIGTERM);
  EXPECT_TRUE(shutdown_.has_begun());
  end_of("node-1");
  EXPECT_TRUE(children_.is_volume_alive()) << "it was asked while a node could still write";
  shutdown_.advance();
  EXPECT_FALSE(shutdown_.is_over());
  end_of("volume");
  EXPECT_TRUE(shutdown_.is_over());
}

TEST_F(ShutdownTest, AKillSparesNobody) {
  shutdown_.ask(SIGKILL);
  EXPECT_EQ(WTERMSIG(end_of("node-1")), SIGKILL);
  EXPECT_EQ(WTERMSIG(end_of("volume")), SIGKILL);
  shutdown_.advance();
  EXPECT_TRUE(shutdown_.is_over());
}

TEST_F(ShutdownTest, WhoIsLateIsKilled) {
  Shutdown impatient{children_, milliseconds(0)};
  impatient.ask(SIGTERM);
  EXPECT_LE(impatient.time_left(), milliseconds(0));
  end_of("node-1");
  impatient.advance();
  end_of("volume");
  EXPECT_TRUE(impatient.is_over());
}

}  // namespace
}  // namespace failsim::cli
