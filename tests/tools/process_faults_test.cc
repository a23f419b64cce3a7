// Faults of whole processes: real ones, which sleep, at times that the test tells.
#include "tools/failsim/process_faults.h"

#include <csignal>
#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/temporary_directory.h"
#include "tests/tools/program.h"
#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

using std::chrono::seconds;
using test::Program;

class ProcessFaultsTest : public testing::Test {
 protected:
  ProcessFaultsTest() : board(FailpointBoard::create(directory.path()).take()), faults(outside()) {
    for (const char* child : {"node-1", "node-2", "volume"}) start(child);
  }

  ProcessFaults::Outside outside() {
    ProcessFaults::Outside outside;
    outside.process = [this](const std::string& child) -> std::optional<pid_t> {
      const auto found = processes.find(child);
      if (found == processes.end()) return std::nullopt;
      return found->second->pid();
    };
    outside.start = [this](const std::string& node) { start(node); };
    outside.note = [this](const json::object& note) { notes += text_in(note, "what") + " "; };
    outside.now = [this] { return now; };
    outside.board = board.get();
    return outside;
  }

  void start(const std::string& child) {
    processes[child] = std::make_unique<Program>(std::vector<std::string>{"/bin/sleep", "600"});
    ++starts[child];
  }
  // Waits until the process has ended and takes it away, as the supervisor does.
  void reap(const std::string& child) {
    const pid_t process = processes.at(child)->pid();
    siginfo_t info;
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOWAIT), 0);
    processes.erase(child);
    is_silent = faults.child_ended(child, process, -1);
  }
  // Waits until the process has stopped, or continued.
  void await(const std::string& child, int which) {
    siginfo_t info;
    const pid_t process = processes.at(child)->pid();
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(process), &info, which), 0);
  }
  std::uint64_t inject(const std::string& order) {
    const std::uint64_t id = faults.next_id();
    faults.inject(id, order, "the test");
    return id;
  }

  ProcessFaults::Clock::time_point now;
  std::map<std::string, std::unique_ptr<Program>> processes;
  std::map<std::string, int> starts;
  std::string notes;
  bool is_silent = false;
  const TemporaryDirectory directory;
  std::unique_ptr<FailpointBoard> board;
  ProcessFaults faults;
};

TEST_F(ProcessFaultsTest, AFrozenProcessContinuesWhenItsLeaseEnds) {
  inject("freeze node-1 for=5s");
  await("node-1", WSTOPPED);
  EXPECT_EQ(faults.list().size(), 1u);
  faults.end_due();
  EXPECT_EQ(faults.list().size(), 1u);
  now += seconds(5);
  faults.end_due();
  await("node-1", WCONTINUED);
  EXPECT_TRUE(faults.list().empty());
  EXPECT_FALSE(faults.next_look().has_value());
  EXPECT_EQ(notes, "injected expired ");
}

TEST_F(ProcessFaultsTest, AKilledProcessIsStartedAgainWhenItIsHealed) {
  const std::uint64_t id = inject("kill node-1 for=5s");
  reap("node-1");
  EXPECT_FALSE(is_silent);
  faults.end_due();
  EXPECT_FALSE(processes.contains("node-1")) << "it stays down for its lease";
  EXPECT_EQ(faults.heal(id).size(), 1u);
  EXPECT_TRUE(processes.contains("node-1"));
  EXPECT_EQ(notes, "injected healed ");
}

TEST_F(ProcessFaultsTest, AVictimThatIsStillOnItsWayOutIsWaitedFor) {
  inject("kill node-1 for=5s");
  now += seconds(5);
  faults.end_due();
  EXPECT_EQ(starts["node-1"], 1) << "not reaped yet";
  EXPECT_TRUE(faults.list().empty());
  ASSERT_TRUE(faults.next_look().has_value());
  reap("node-1");
  faults.end_due();
  EXPECT_EQ(starts["node-1"], 2);
}

TEST_F(ProcessFaultsTest, TheClusterIsNotToldOfASilentEnd) {
  inject("kill node-1 evidence=silent");
  reap("node-1");
  EXPECT_TRUE(is_silent);
}

TEST_F(ProcessFaultsTest, TheSameOrderAgainBeginsANewLease) {
  const std::uint64_t id = inject("freeze node-1 for=3s");
  now += seconds(2);
  faults.inject(id, "freeze node-1 for=3s", "the test");
  now += seconds(2);
  faults.end_due();
  EXPECT_EQ(faults.list().size(), 1u);
  EXPECT_EQ(notes, "injected ");
}

TEST_F(ProcessFaultsTest, AVolumeStallsForItsStall) {
  inject("volume-stall stall=1s for=60s");
  await("volume", WSTOPPED);
  now += seconds(1);
  faults.end_due();
  await("volume", WCONTINUED);
}

TEST_F(ProcessFaultsTest, ANodeWhoseDiskFailedIsStartedAgainHoweverLateItEnds) {
  const std::uint64_t id = inject("disk-fail node-1 error=EIO");
  EXPECT_EQ(faults.heal(id).size(), 1u);
  EXPECT_EQ(starts["node-1"], 1) << "it runs still";
  faults.child_ended("node-1", processes.at("node-1")->pid(), 74);
  EXPECT_EQ(starts["node-1"], 2);
}

TEST_F(ProcessFaultsTest, AProcessThatKilledItselfAtAPointStaysDownForTheLeaseOfThePoint) {
  inject("failpoint owner.flip terms=1*kill for=5s");
  now += seconds(1);
  const pid_t process = processes.at("node-1")->pid();
  board->leave_note(
      1, {FailpointBoard::End::kKilled, static_cast<std::uint64_t>(process), 5 * kSecond});
  ::kill(process, SIGKILL);
  reap("node-1");
  EXPECT_TRUE(is_silent);
  ASSERT_EQ(faults.list().size(), 2u) << "the point and the kill";
  now += seconds(4);
  faults.end_due();
  EXPECT_EQ(starts["node-1"], 1) << "the point is disarmed, the node still down";
  now += seconds(1);
  faults.end_due();
  EXPECT_EQ(starts["node-1"], 2);
  EXPECT_EQ(notes, "injected injected expired expired ");
}

TEST_F(ProcessFaultsTest, AProcessThatStoppedItselfAtAPointContinues) {
  inject("failpoint owner.flip terms=1*freeze(2s) for=60s");
  const pid_t process = processes.at("node-2")->pid();
  board->leave_note(
      2, {FailpointBoard::End::kStopped, static_cast<std::uint64_t>(process), 2 * kSecond});
  ::kill(process, SIGSTOP);
  await("node-2", WSTOPPED | WNOWAIT);  // as a supervisor, which does not ask for stops
  ASSERT_TRUE(faults.next_look().has_value());
  faults.end_due();
  EXPECT_EQ(faults.list().size(), 2u);
  now += seconds(2);
  faults.end_due();
  await("node-2", WCONTINUED);
}

TEST_F(ProcessFaultsTest, APointIsListedWithItsHits) {
  const std::uint64_t id = inject("failpoint owner.flip terms=1*off->kill for=60s");
  const auto draw = [](std::uint64_t) { return std::uint64_t{0}; };
  const fault::PointId point = *fault::find_point("owner.flip");
  EXPECT_EQ(board->pass(point, draw).size(), 1u);
  const json::object row = faults.list().front().as_object();
  EXPECT_EQ(number_in(row, "hits"), 1u);
  EXPECT_EQ(number_in(row, "performed"), 1u);
  faults.heal(id);
  EXPECT_TRUE(board->pass(point, draw).empty());
}

TEST_F(ProcessFaultsTest, WhatDoesNotRunOrIsNotItsAffairIsRefused) {
  const auto code_of = [this](const std::string& order) {
    try {
      inject(order);
      return Code::kOk;
    } catch (const Failure& failure) {
      return failure.error.code;
    }
  };
  EXPECT_EQ(code_of("freeze node-3"), Code::kNodeDown);
  EXPECT_EQ(code_of("link-cut node-1->node-2"), Code::kInvalidState);
  EXPECT_EQ(code_of("freeze"), Code::kInvalidParameter);
  EXPECT_EQ(code_of("failpoint owner.flip terms=off->1*power-off"), Code::kInvalidState);
  EXPECT_EQ(notes, "");
}

TEST_F(ProcessFaultsTest, ACrashLoopKillsAndStartsUntilItIsHealed) {
  inject("crash-loop node-1 every=4s for=60s");
  reap("node-1");
  EXPECT_EQ(starts["node-1"], 1);
  now += seconds(2);
  faults.end_due();
  EXPECT_EQ(starts["node-1"], 2) << "half of the time later it is started";
  now += seconds(2);
  faults.end_due();
  reap("node-1");
  EXPECT_EQ(starts["node-1"], 2) << "and killed again";
  EXPECT_EQ(faults.heal(std::nullopt).size(), 1u);
  EXPECT_EQ(starts["node-1"], 3) << "healing starts it";
  now += seconds(60);
  faults.end_due();
  EXPECT_TRUE(processes.contains("node-1"));
}

}  // namespace
}  // namespace failsim::cli
