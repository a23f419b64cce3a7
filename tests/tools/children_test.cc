// The processes of a small cluster, as their parent has them.
#include "tools/failsim/children.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/temporary_directory.h"
#include "tools/failsim/birth.h"

namespace failsim::cli {
namespace {

class ChildrenTest : public testing::Test {
 protected:
  ~ChildrenTest() override {
    children_.signal_nodes(SIGKILL);
    while (::wait(nullptr) > 0) {
    }
  }

  // Has ended, and its parent does not know yet.
  static void kill_and_wait(pid_t process) {
    ::kill(process, SIGKILL);
    siginfo_t info;
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOWAIT), 0);
  }

  const TemporaryDirectory base_;
  const ClusterDirectory directory_{base_.path()};
  const ClusterDescription description_ =
      create_cluster(directory_, {.name = "lab", .nodes = 2, .properties = {}});
  Children children_{directory_, description_, false};
};

// Another on its store would find it in use.
TEST_F(ChildrenTest, ANodeThatWasKilledHasAProcessUntilItIsReaped) {
  const pid_t process = children_.start_node(1).pid;
  kill_and_wait(process);
  EXPECT_EQ(children_.process_of("node-1"), process);
  const auto ended = children_.reap();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->child.name, "node-1");
  EXPECT_EQ(WTERMSIG(ended->status), SIGKILL);
  EXPECT_FALSE(children_.process_of("node-1"));
  EXPECT_EQ(children_.node(1), nullptr);
}

TEST_F(ChildrenTest, TheNewestProcessIsTheOneOfANode) {
  const pid_t former = children_.start_node(1).pid;
  children_.start_node(2);
  kill_and_wait(former);
  const pid_t newest = children_.start_node(1).pid;
  EXPECT_EQ(children_.process_of("node-1"), newest);
  EXPECT_FALSE(children_.process_of("node-3"));
}

}  // namespace
}  // namespace failsim::cli
