// Keeps a stream at a rate: says until when to wait before the next bytes may go.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "cluster/migration/transfer_rate.h"
#include "cluster/time.h"

namespace failsim::node {

class TokenBucket {
 public:
  static constexpr Duration kQuickWakeUp = 2 * kMillisecond;

  // 0 = no limit. `lateness` is how late whoever sends may wake up without losing from the rate.
  explicit TokenBucket(std::uint64_t bytes_per_second, Duration lateness = kQuickWakeUp)
      : rate_(bytes_per_second), lateness_(lateness) {}

  // The time from which `bytes` may go; they count as gone then. What was not used earlier than
  // the lateness that is allowed is lost, so that a pause is not followed by a burst.
  Time take(std::uint64_t bytes, Time now) {
    if (rate_ == 0) return now;
    free_at_ = std::max(free_at_, now - lateness_);
    const Time start = free_at_;
    free_at_ += time_to_send(bytes, rate_);
    return std::max(start, now);
  }

  // The time from which the next bytes may go, whoever takes them.
  Time free_from(Time now) const { return rate_ == 0 ? now : std::max(free_at_, now); }

  // What was taken and has not gone yet goes sooner if the rate rises, and no later if it falls.
  void set_rate(std::uint64_t bytes_per_second, Time now) {
    const bool rises = rate_ != 0 && (bytes_per_second == 0 || bytes_per_second > rate_);
    if (rises && free_at_ > now) {
      const std::uint64_t owed = bytes_per_second == 0 ? 0 : bytes_in(free_at_ - now, rate_);
      free_at_ = now + time_to_send(owed, bytes_per_second);
    }
    rate_ = bytes_per_second;
  }
  // The time at which `bytes`, taken now, have gone.
  Time take_and_finish(std::uint64_t bytes, Time now) {
    take(bytes, now);
    return free_at_;
  }

 private:
  std::uint64_t rate_;
  Duration lateness_;
  Time free_at_ = 0;
};

// The same for several streams that share one rate; any thread. Their threads are modest: on a busy
// machine one wakes several milliseconds late.
class SharedBucket {
 public:
  static constexpr Duration kModestWakeUp = 10 * kMillisecond;

  explicit SharedBucket(std::uint64_t bytes_per_second)
      : rate_(bytes_per_second), bucket_(bytes_per_second, kModestWakeUp) {}

  Time take(std::uint64_t bytes, Time now) {
    if (!is_limited()) return now;
    const std::lock_guard lock(mutex_);
    return bucket_.take(bytes, now);
  }
  Time free_from(Time now) {
    const std::lock_guard lock(mutex_);
    return bucket_.free_from(now);
  }
  std::uint64_t rate() const { return rate_.load(std::memory_order_relaxed); }
  bool is_limited() const { return rate() != 0; }
  void set_rate(std::uint64_t bytes_per_second, Time now) {
    const std::lock_guard lock(mutex_);
    bucket_.set_rate(bytes_per_second, now);
    rate_.store(bytes_per_second, std::memory_order_relaxed);
  }
  Time take_and_finish(std::uint64_t bytes, Time now) {
    const std::lock_guard lock(mutex_);
    return bucket_.take_and_finish(bytes, now);
  }

 private:
  std::mutex mutex_;
  std::atomic<std::uint64_t> rate_;
  TokenBucket bucket_;
};

}  // namespace failsim::node
