#include "tools/failsim/process.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;

// A child that waits for a signal.
pid_t waiting_child() {
  const pid_t child = ::fork();
  if (child == 0) {
    while (true) ::pause();
  }
  return child;
}

TEST(Process, AMarkNamesAProcessUntilItEnds) {
  const pid_t child = waiting_child();
  const std::optional<ProcessMark> mark = mark_of(child);
  ASSERT_TRUE(mark.has_value());
  EXPECT_TRUE(is_alive(*mark));
  EXPECT_FALSE(wait_until_gone(*mark, milliseconds(0)));
  EXPECT_TRUE(send_signal(*mark, SIGKILL));
  EXPECT_TRUE(wait_until_gone(*mark, milliseconds(10'000)));
  EXPECT_FALSE(is_alive(*mark)) << "a zombie is not alive";
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(is_alive(*mark));
  EXPECT_FALSE(send_signal(*mark, SIGKILL));
}

TEST(Process, AStoppedProcessIsToldFromOneThatWaits) {
  const pid_t child = waiting_child();
  const ProcessMark mark = mark_of(child).value();
  EXPECT_FALSE(is_stopped(mark));
  ::kill(child, SIGSTOP);
  ::waitpid(child, nullptr, WUNTRACED);
  EXPECT_TRUE(is_stopped(mark));
  EXPECT_TRUE(is_alive(mark));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(is_stopped(mark));
}

TEST(Process, AReusedProcessIdIsAnotherProcess) {
  const pid_t child = waiting_child();
  ProcessMark former = mark_of(child).value();
  former.start_ticks -= 1;
  EXPECT_FALSE(is_alive(former));
  EXPECT_FALSE(send_signal(former, SIGKILL));
  EXPECT_TRUE(wait_until_gone(former, milliseconds(0)));
  ProcessMark before_reboot = mark_of(child).value();
  before_reboot.boot_id = "another";
  EXPECT_FALSE(send_signal(before_reboot, SIGKILL));
  EXPECT_TRUE(is_alive(mark_of(child).value())) << "nobody was signalled";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(Process, AMarkSurvivesItsJson) {
  const ProcessMark self = mark_of(::getpid()).value();
  EXPECT_EQ(mark_from_json(to_json(self)), self);
  EXPECT_FALSE(is_alive(ProcessMark{}));
}

}  // namespace
}  // namespace failsim::cli
