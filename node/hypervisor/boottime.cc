#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <time.h>

#include "node/hypervisor/hypervisor.h"

namespace failsim::node {

namespace {

constexpr std::int64_t kMillion = 1'000'000;

// A clock that runs at another rate since `true_origin`. Never changed once it is in force, and
// kept for good: another thread may still be reading it.
struct Drift {
  Time true_origin;
  Time shown_origin;
  std::int64_t ppm;
};

std::atomic<const Drift*> drift = nullptr;  // null: the clock is as it should be

// duration * numerator / denominator, without overflow for a century.
Duration scaled(Duration duration, std::int64_t numerator, std::int64_t denominator) {
  return duration / denominator * numerator + duration % denominator * numerator / denominator;
}

Time shown(Time now) {
  const Drift* const in_force = drift.load(std::memory_order_acquire);
  if (in_force == nullptr) return now;
  return in_force->shown_origin +
         scaled(now - in_force->true_origin, kMillion + in_force->ppm, kMillion);
}

}  // namespace

Time true_boottime_now() {
  timespec read{};
  clock_gettime(CLOCK_BOOTTIME, &read);
  return Time{read.tv_sec} * kSecond + read.tv_nsec;
}

Time boottime_now() {
  static std::atomic<Time> latest = 0;
  const Time now = shown(true_boottime_now());
  Time before = latest.load(std::memory_order_relaxed);
  while (before < now && !latest.compare_exchange_weak(before, now, std::memory_order_relaxed)) {
  }
  return before < now ? now : before;
}

Time true_boottime_of(Time at) {
  const Drift* const in_force = drift.load(std::memory_order_acquire);
  if (in_force == nullptr || at == kNever) return at;
  return in_force->true_origin +
         scaled(at - in_force->shown_origin, kMillion, kMillion + in_force->ppm) + 1;
}

void set_clock_drift(std::int64_t ppm) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<const Drift>> all;
  const std::lock_guard lock(mutex);
  const Time now = true_boottime_now();
  all.push_back(std::make_unique<const Drift>(Drift{now, shown(now), ppm}));
  drift.store(all.back().get(), std::memory_order_release);
}

}  // namespace failsim::node
