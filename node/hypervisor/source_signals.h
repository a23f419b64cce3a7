// What wakes the threads of a source, and ends them. Shared with the guest thread, which may still
// have an answer for a transfer that is gone.
#pragma once

#include <atomic>

#include "node/hypervisor/stream_group.h"

namespace failsim::node {

class SourceSignals : public StreamSignals {
 public:
  using StreamSignals::StreamSignals;

  // From any thread. From now on nothing is told any more, and every wait ends.
  void drop() {
    dropped_.store(true, std::memory_order_release);
    abort_all();
  }
  bool dropped() const { return dropped_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> dropped_ = false;
};

}  // namespace failsim::node
