// What may be said only once the disk has caught up: `after` of every step, in order.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "cluster/effects.h"

namespace failsim::node {

class ReleaseQueue {
 public:
  // To be released when every batch up to `sequence` is written; sequences never fall.
  void add(std::uint64_t sequence, std::vector<After> after) {
    for (After& item : after) waiting_.push_back({sequence, std::move(item)});
  }

  // Takes what may be said now that every batch up to `written` is in the store, oldest first.
  std::vector<After> take(std::uint64_t written) {
    std::vector<After> released;
    while (!waiting_.empty() && waiting_.front().first <= written) {
      released.push_back(std::move(waiting_.front().second));
      waiting_.pop_front();
    }
    return released;
  }

  bool empty() const { return waiting_.empty(); }

 private:
  std::deque<std::pair<std::uint64_t, After>> waiting_;
};

}  // namespace failsim::node
