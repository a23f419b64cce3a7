// The batches a member might write, drawn from a seed, and what a store holds after each of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/durable.h"
#include "cluster/random.h"
#include "storage/store.h"

namespace failsim {

// Entries with the checksums of a chain.
class EntryChain {
 public:
  explicit EntryChain(pb::LogStart start = {}) : positions_{start} {}

  EntryPtr append(Term term, const std::string& command);
  void truncate_from(Index index);
  const pb::LogStart& position(Index index) const;
  const pb::LogStart& last() const { return positions_.back(); }

 private:
  std::vector<pb::LogStart> positions_;  // of the start, and of every entry behind it
};

// What is in a store, as text: two stores hold the same exactly if their texts are equal.
std::string text_of(const Recovered& recovered);

struct History {
  std::vector<DurableBatch> batches;
  std::vector<std::string> texts;  // of a store with the first i batches
};

// Appends, votes, truncations, compactions, snapshots and unsynced rows. Every batch changes the
// text. `row_bytes` is the size of the largest row.
History draw_history(std::uint64_t seed, std::size_t batches, std::size_t row_bytes = 200);

StoreIdentity some_identity();

}  // namespace failsim
