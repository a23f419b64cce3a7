// The batches this member has handed over and does not know to be written yet.
#pragma once

#include <cstdint>
#include <map>

#include "cluster/time.h"

namespace failsim {

class Unwritten {
 public:
  // A batch is handed over at `now`: its sequence, from 1. `mark` is the log's name for what it
  // wants to hear of when the batch is written; 0 if there is nothing.
  std::uint64_t hand_over(Time now, std::uint64_t mark) {
    batches_[++sequence_] = {now, mark};
    return sequence_;
  }

  // Everything up to `sequence` is written: the newest mark among it, 0 if there is none.
  std::uint64_t written(std::uint64_t sequence) {
    const auto end = batches_.upper_bound(sequence);
    std::uint64_t mark = 0;
    for (auto batch = batches_.begin(); batch != end; ++batch) {
      if (batch->second.mark != 0) mark = batch->second.mark;
    }
    batches_.erase(batches_.begin(), end);
    return mark;
  }

  // How long the oldest has been waiting; 0 if none is.
  Duration oldest_waits(Time now) const {
    return batches_.empty() ? 0 : now - batches_.begin()->second.since;
  }

 private:
  struct Batch {
    Time since = 0;
    std::uint64_t mark = 0;
  };

  std::map<std::uint64_t, Batch> batches_;  // by sequence
  std::uint64_t sequence_ = 0;
};

}  // namespace failsim
