// What a guest needs from the node it lives on.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "cluster/effects.h"
#include "cluster/migration/dirty_habit.h"
#include "cluster/time.h"
#include "node/hypervisor/fault_seam.h"
#include "node/hypervisor/image.h"
#include "node/hypervisor/kept_pages.h"
#include "node/hypervisor/memory_budget.h"
#include "node/hypervisor/threads.h"
#include "node/hypervisor/volume_port.h"
#include "storage/observations.h"

namespace failsim::node {

class Guest;

class GuestHost {
 public:
  virtual ~GuestHost() = default;

  virtual const std::string& node() const = 0;
  virtual MemoryBudget& budget() = 0;
  virtual Workers& workers() = 0;
  virtual KeptPages& kept_pages() = 0;
  virtual VolumePort& volume() = 0;
  virtual HypervisorFaults* faults() = 0;      // usually null
  virtual ObservationLog* observations() = 0;  // usually null

  virtual void report(const GuestReport& report) = 0;
  virtual void report(const TransferReport& report) = 0;

  // Performs the task on the guest thread; from any thread. Dropped once the host has stopped.
  virtual void post(std::function<void()> task) = 0;

  // ---- on the guest thread only ----
  // Guest::run is to be called at this time (kNever: not at all).
  virtual void wake_at(Guest& guest, Time at) = 0;
  // Looks at the clock and the lease at this very moment.
  virtual bool may_execute() const = 0;
  // Guest time between two counts: kGuestCountInterval, longer when very many guests share a node.
  virtual Duration count_interval() const = 0;
  // Between two looks at how a guest dirties its memory: kWatchInterval, longer when many guests
  // share a node, so that looking never takes more than a hundredth of this thread.
  virtual Duration watch_interval() const = 0;
  // The image becomes the caller's; without one `why` says so in a sentence.
  virtual std::optional<Image> take_image(const std::string& vm, TaskId job, std::uint64_t attempt,
                                          std::string& why) = 0;
};

// What other threads may see of a guest at any moment.
class GuestView {
 public:
  std::atomic<std::uint64_t> counter = 0;
  std::atomic<std::uint64_t> boot_id = 0;
  std::atomic<bool> exists = false;
  std::atomic<bool> runnable = false;  // it executes whenever the lease allows

  // How it was seen to dirty its memory, as it is at the time `at`.
  void set_habit(DirtyHabit habit, Time at) {
    const std::lock_guard lock(mutex_);
    habit_ = std::move(habit);
    habit_at_ = at;
  }
  void drop_habit() {
    const std::lock_guard lock(mutex_);
    habit_.reset();
  }
  // As it is `now` if it has executed since; nothing if it was not watched.
  std::optional<DirtyHabit> habit(Time now) const {
    const std::lock_guard lock(mutex_);
    if (!habit_) return std::nullopt;
    return habit_->after(std::max<Duration>(0, now - habit_at_));
  }

 private:
  mutable std::mutex mutex_;
  std::optional<DirtyHabit> habit_;
  Time habit_at_ = 0;
};

}  // namespace failsim::node
