// What is said when no node answers in time, of processes that run, stand still and are gone.
#include "tools/failsim/silence.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/temporary_directory.h"

namespace failsim::cli {
namespace {

class Silence : public testing::Test {
 protected:
  Silence() {
    description_.name = "lab";
    description_.nodes = 3;
    running_.supervisor = mark_of(::getpid()).value();
    for (const char* name : {"node-1", "node-2", "node-3"}) {
      const pid_t child = ::fork();
      if (child == 0) {
        while (true) ::pause();
      }
      running_.children.push_back({name, mark_of(child).value(), 1});
    }
    directory_.write_processes(running_);
  }
  ~Silence() override {
    for (const RunningChild& child : running_.children) end(child);
  }

  static void end(const RunningChild& child) {
    ::kill(child.process.pid, SIGKILL);
    ::waitpid(child.process.pid, nullptr, 0);
  }
  void let_stand_still(const std::string& node) const {
    const pid_t child = running_.find(node)->process.pid;
    ::kill(child, SIGSTOP);
    ::waitpid(child, nullptr, WUNTRACED);
  }
  std::string id_of(const std::string& node) const {
    return std::to_string(running_.find(node)->process.pid);
  }
  Error silence(bool may_be_carried_out = false) const {
    return silence_of(directory_, description_, std::chrono::milliseconds(2'000),
                      may_be_carried_out);
  }

  const TemporaryDirectory base_;
  const ClusterDirectory directory_{base_.path()};
  ClusterDescription description_;
  RunningProcesses running_;
};

TEST_F(Silence, OfNodesThatAreBusyAsksForPatience) {
  const Error error = silence();
  EXPECT_EQ(error.code, Code::kTimeout);
  EXPECT_EQ(
      error.message,
      "No node of cluster lab answered within 2 s: node-1, node-2 and node-3 run and have not "
      "answered.");
  EXPECT_EQ(error.next,
            "Wait longer with --time-limit, or see what the nodes say with: failsim logs");
}

TEST_F(Silence, OfAFrozenMajorityNamesItAndHowItGoesOn) {
  let_stand_still("node-1");
  let_stand_still("node-3");
  const Error error = silence();
  EXPECT_EQ(
      error.message,
      "No node of cluster lab answered within 2 s: node-1 and node-3 stand still, node-2 runs "
      "and has not answered.");
  EXPECT_EQ(error.next,
            "Let them go on with: failsim fault heal --all, or where no fault stopped them with: "
            "kill -CONT " +
                id_of("node-1") + " " + id_of("node-3"));
}

TEST_F(Silence, OfAWriteLeavesOpenWhatBecomesOfIt) {
  let_stand_still("node-2");
  end(running_.children.back());
  EXPECT_EQ(
      silence(true).message,
      "No node of cluster lab answered within 2 s, so it is not known whether this is carried "
      "out: node-2 stands still, node-3 does not run, node-1 runs and has not answered.");
}

}  // namespace
}  // namespace failsim::cli
