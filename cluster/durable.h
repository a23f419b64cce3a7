// What one step of a member wants on disk: one atomic batch.
//
// The log and the applied rows share one store. A row change made by applying an entry may ride
// unsynced, because the log re-derives it; the log itself, the hard state and an installed snapshot
// must be synced before anything that rests on them is said (see Effects in effects.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/ids.h"
#include "cluster/proto/raft.pb.h"

namespace failsim {

// Entries are immutable and shared between the log, the batches and the messages that carry them.
using EntryPtr = std::shared_ptr<const pb::LogEntry>;

// One applied row, by its readable key, for example "vm/web"; no value = the row is removed.
struct RowChange {
  std::string key;
  std::optional<std::string> value;
};

// Performed in the order of the members.
struct DurableBatch {
  std::optional<pb::HardState> hard_state;
  Index truncate_from = 0;                // remove log entries with index >= this; 0 = none
  std::vector<EntryPtr> append;           // contiguous, after the truncation
  std::optional<pb::LogStart> log_start;  // remove log entries with index <= this: rows hold them
  bool replace_rows = false;              // a snapshot: remove every row before `rows`
  std::vector<RowChange> rows;
  std::optional<Index> applied;  // the rows now contain entries up to here
  std::uint64_t synced = 0;      // if it is synced: how many such batches the store has with it
  bool retired = false;          // the store is superseded: nobody may open it again

  bool needs_sync() const {
    return hard_state.has_value() || truncate_from != 0 || !append.empty() ||
           log_start.has_value() || replace_rows || synced != 0 || retired;
  }
  bool empty() const { return !needs_sync() && rows.empty() && !applied.has_value(); }
};

// One start of a store: which process opened it, and how many synced batches it held then.
struct StoreStart {
  std::uint32_t instance = 0;  // the low half of the incarnation
  std::uint64_t synced = 0;
};

// What a store gives back when it is opened: exactly what its synced batches (and perhaps some
// later unsynced ones, never out of order) have written.
struct Recovered {
  pb::HardState hard_state;
  pb::LogStart log_start;
  std::vector<EntryPtr> entries;  // contiguous after log_start
  std::vector<RowChange> rows;    // every row, ordered by key, each with a value
  Index applied = 0;
  std::vector<StoreStart> starts;  // all there were; the last is that of the process that reads it
  std::uint64_t synced = 0;        // batches so far
};

}  // namespace failsim
