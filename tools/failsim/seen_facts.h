// What the one who runs a scenario on processes saw of it, as facts, with the time of each.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "storage/observations.h"
#include "tools/failsim/retelling.h"

namespace failsim::cli {

// From any thread; in the order of the kernel's clock.
class SeenFacts {
 public:
  void tell(history::Fact fact) {
    const std::lock_guard lock(mutex_);
    facts_.push_back({observation_clock(), std::move(fact)});
  }
  std::vector<SeenFact> all() const {
    const std::lock_guard lock(mutex_);
    return facts_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<SeenFact> facts_;
};

}  // namespace failsim::cli
