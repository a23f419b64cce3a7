// The one clock of a node, when it runs at another rate.
#include <gtest/gtest.h>

#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

// Time that passes by the true clock, in a loop: nothing here can be told the time.
void pass(Duration duration) {
  const Time until = true_boottime_now() + duration;
  while (true_boottime_now() < until) {
  }
}

TEST(ClockDrift, AFastClockGainsAndKeepsWhatItHasGained) {
  const Duration ahead_before = boottime_now() - true_boottime_now();
  set_clock_drift(100'000);
  pass(50 * kMillisecond);
  set_clock_drift(0);
  const Duration ahead = boottime_now() - true_boottime_now();
  EXPECT_GE(ahead - ahead_before, 5 * kMillisecond);
  pass(5 * kMillisecond);
  const Duration later = boottime_now() - true_boottime_now();
  EXPECT_LT(later - ahead, kMillisecond) << "it runs true again";
}

TEST(ClockDrift, ATimerIsSetToTheTimeAtWhichThisClockWillReadIt) {
  set_clock_drift(-100'000);
  const Time at = boottime_now() + 90 * kMillisecond;
  const Duration rest = true_boottime_of(at) - true_boottime_now();
  EXPECT_GT(rest, 95 * kMillisecond) << "a slow clock needs longer";
  EXPECT_LE(rest, 101 * kMillisecond);
  set_clock_drift(0);
  EXPECT_EQ(true_boottime_of(kNever), kNever);
}

}  // namespace
}  // namespace failsim::node
