#include "node/runtime/boottime_timer.h"

#include <chrono>

#include <gtest/gtest.h>

#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

TEST(BoottimeTimer, FiresNotBeforeItsTimeAndOnce) {
  boost::asio::io_context io;
  int fired = 0;
  BoottimeTimer timer(io, [&] { ++fired; });
  const Time due = boottime_now() + 5 * kMillisecond;
  timer.arm(due);
  while (fired == 0) io.run_one();
  EXPECT_GE(boottime_now(), due);
  io.poll();
  EXPECT_EQ(fired, 1);
}

TEST(BoottimeTimer, ATimeInThePastFiresAtOnce) {
  boost::asio::io_context io;
  int fired = 0;
  BoottimeTimer timer(io, [&] { ++fired; });
  timer.arm(0);
  while (fired == 0) io.run_one();
  timer.arm(0);
  while (fired == 1) io.run_one();
}

TEST(BoottimeTimer, ALaterTimeReplacesTheFormer) {
  boost::asio::io_context io;
  int fired = 0;
  BoottimeTimer timer(io, [&] { ++fired; });
  timer.arm(boottime_now());
  timer.arm(kNever);
  BoottimeTimer other(io, [&] { io.stop(); });
  other.arm(boottime_now() + 5 * kMillisecond);
  io.run();
  EXPECT_EQ(fired, 0);
}

}  // namespace
}  // namespace failsim::node
