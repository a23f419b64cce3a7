#include <atomic>

#include <time.h>

#include "node/hypervisor/hypervisor.h"

namespace failsim::node {

Time boottime_now() {
  static std::atomic<Time> latest = 0;
  timespec read{};
  clock_gettime(CLOCK_BOOTTIME, &read);
  const Time now = Time{read.tv_sec} * kSecond + read.tv_nsec;
  Time before = latest.load(std::memory_order_relaxed);
  while (before < now && !latest.compare_exchange_weak(before, now, std::memory_order_relaxed)) {
  }
  return before < now ? now : before;
}

}  // namespace failsim::node
