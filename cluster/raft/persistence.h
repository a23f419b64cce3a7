// Which part of what was handed out to be stored is known to be stored.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <deque>

#include "cluster/ids.h"

namespace failsim::raft {

class Persistence {
 public:
  explicit Persistence(Index durable_index) : durable_index_(durable_index) {}

  // Numbers an addition to the durable batch after which the log ends at `last_index`.
  std::uint64_t issue(Index last_index) {
    pending_.push_back({++issued_, last_index});
    return issued_;
  }

  // Everything up to `mark` is synced.
  void persisted(std::uint64_t mark) {
    assert(mark <= issued_);
    persisted_ = std::max(persisted_, mark);
    while (!pending_.empty() && pending_.front().mark <= mark) {
      durable_index_ = std::max(durable_index_, pending_.front().last_index);
      pending_.pop_front();
    }
  }

  // Entries from here on are being replaced: their predecessors' durability says nothing of them.
  void truncate_from(Index index) {
    durable_index_ = std::min(durable_index_, index - 1);
    for (Pending& pending : pending_) {
      pending.last_index = std::min(pending.last_index, index - 1);
    }
  }

  bool is_persisted(std::uint64_t mark) const { return mark <= persisted_; }
  // Every entry of the log up to here is synced.
  Index durable_index() const { return durable_index_; }

 private:
  struct Pending {
    std::uint64_t mark;
    Index last_index;
  };

  std::uint64_t issued_ = 0;
  std::uint64_t persisted_ = 0;
  Index durable_index_;
  std::deque<Pending> pending_;  // by mark
};

}  // namespace failsim::raft
