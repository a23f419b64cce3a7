// What a store has lived through: which processes had it open, and how much each of them has
// synced. By this a process knows whether it goes on from where the others know its node to have
// been, or stands on an older copy of the store, or on a disk that has lost what it acknowledged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "cluster/durable.h"
#include "cluster/membership/process_start.h"

namespace failsim {

// As far as a node was heard: what its process had synced when it spoke.
struct KnownProcess {
  Incarnation process = 0;  // 0 = none was heard of
  std::uint64_t synced = 0;
};

class StoreHistory {
 public:
  // `starts` are those of the store, that of `self` being the last.
  StoreHistory(Incarnation self, std::vector<StoreStart> starts)
      : self_(self), starts_(std::move(starts)) {}

  // Whether the store holds all that this process had synced. `known` is of this node.
  bool holds(const KnownProcess& known) const {
    if (known.process == self_) return true;
    const std::uint64_t start = start_of(known.process);
    if (start == 0 || start >= starts_.size()) return false;
    const auto next = starts_.begin() + static_cast<std::ptrdiff_t>(start);
    if (std::prev(next)->instance != instance_of(known.process)) return false;
    // What the next one found this one had left behind; a disk that lies loses it later, too.
    return std::all_of(next, starts_.end(),
                       [&](const StoreStart& later) { return later.synced >= known.synced; });
  }

  // The process before this one, and what it has left.
  KnownProcess former() const {
    const std::size_t count = starts_.size();
    if (count < 2) return {};
    return {(std::uint64_t{count - 1} << 32) | starts_[count - 2].instance, starts_.back().synced};
  }

 private:
  Incarnation self_;
  std::vector<StoreStart> starts_;
};

}  // namespace failsim
