// Virtual time: what happens next, in one order that depends on nothing but what was asked for.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "cluster/time.h"

namespace failsim::sim {

class EventQueue {
 public:
  using Action = std::function<void()>;

  Time now() const { return now_; }
  std::uint64_t executed() const { return executed_; }  // actions so far

  // At equal times the action that was asked for first runs first.
  void at(Time when, Action action) {
    assert(when >= now_);
    heap_.push_back(Entry{when, next_order_++, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }

  // Runs the earliest action that is due by `end`. False when there is none: then it is `end`.
  bool run_next(Time end) {
    if (heap_.empty() || heap_.front().when > end) {
      now_ = std::max(now_, end);
      return false;
    }
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Entry entry = std::move(heap_.back());
    heap_.pop_back();
    now_ = entry.when;
    ++executed_;
    entry.action();
    return true;
  }

 private:
  struct Entry {
    Time when = 0;
    std::uint64_t order = 0;
    Action action;
  };
  static bool later(const Entry& left, const Entry& right) {
    return left.when != right.when ? left.when > right.when : left.order > right.order;
  }

  Time now_ = 0;
  std::uint64_t next_order_ = 0;
  std::uint64_t executed_ = 0;
  std::vector<Entry> heap_;
};

}  // namespace failsim::sim
