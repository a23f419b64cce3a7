// The batches this member has handed over and does not know to be written yet; and how many of
// those that have to be synced its store has, of all its starts.
#pragma once

#include <cstdint>
#include <map>

#include "cluster/durable.h"
#include "cluster/time.h"

namespace failsim {

class Unwritten {
 public:
  explicit Unwritten(std::uint64_t synced) : synced_(synced), handed_over_(synced) {}

  // A batch is about to be handed over: it gets its number, if it has to be synced.
  void number(DurableBatch& batch) {
    if (batch.needs_sync()) batch.synced = ++handed_over_;
  }
  // A batch is handed over at `now`: its sequence, from 1. `mark` is the log's name for what it
  // wants to hear of when the batch is written; 0 if there is nothing.
  std::uint64_t hand_over(Time now, std::uint64_t mark) {
    batches_[++sequence_] = {now, mark, handed_over_};
    return sequence_;
  }

  // Everything up to `sequence` is written: the newest mark among it, 0 if there is none.
  std::uint64_t written(std::uint64_t sequence) {
    const auto end = batches_.upper_bound(sequence);
    std::uint64_t mark = 0;
    for (auto batch = batches_.begin(); batch != end; ++batch) {
      if (batch->second.mark != 0) mark = batch->second.mark;
      synced_ = batch->second.synced;
    }
    batches_.erase(batches_.begin(), end);
    return mark;
  }

  std::uint64_t synced() const { return synced_; }
  // When everything is written that was handed over.
  std::uint64_t synced_then() const { return handed_over_; }
  // How long the oldest has been waiting; 0 if none is.
  Duration oldest_waits(Time now) const {
    return batches_.empty() ? 0 : now - batches_.begin()->second.since;
  }

 private:
  struct Batch {
    Time since = 0;
    std::uint64_t mark = 0;
    std::uint64_t synced = 0;  // with it
  };

  std::map<std::uint64_t, Batch> batches_;  // by sequence
  std::uint64_t sequence_ = 0;
  std::uint64_t synced_;
  std::uint64_t handed_over_;
};

}  // namespace failsim
