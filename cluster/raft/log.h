// The entries a member holds in memory: everything after the point its stored rows contain.
//
// The log knows nothing of durability or commitment. Positions it can speak about run from its
// start (the last entry compacted away, of which term and checksum are kept) to its last entry.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "cluster/durable.h"
#include "cluster/ids.h"
#include "cluster/proto/raft.pb.h"

namespace failsim::raft {

class Log {
 public:
  // Asserts that the entries follow the start and that their checksum chain holds: what a store
  // gives back damaged must never be taken for the truth.
  Log(const pb::LogStart& start, const std::vector<EntryPtr>& entries);

  const pb::LogStart& start() const { return start_; }
  Index first_index() const { return start_.index() + 1; }
  Index last_index() const { return start_.index() + entries_.size(); }
  Term last_term() const { return term_at(last_index()); }

  // True for the start and for every entry.
  bool knows(Index index) const { return index >= start_.index() && index <= last_index(); }
  Term term_at(Index index) const;
  std::uint32_t checksum_at(Index index) const;
  pb::LogStart position_of(Index index) const;
  // Null when compacted or beyond the end.
  EntryPtr entry(Index index) const;

  // The first and the last entry of a term that has an entry here.
  Index first_of_term(Term term) const;
  Index last_of_term(Term term) const;
  // The last entry of a message that begins with `from` and carries at most `max_bytes`, but at
  // least one entry; `from - 1` when there is none.
  Index last_within(Index from, std::size_t max_bytes) const;

  // Makes a new last entry.
  EntryPtr append(Term term, std::string command);
  // Takes an entry that follows the last one.
  void append(EntryPtr entry);
  void truncate_from(Index index);
  // Forgets everything up to `index`, which must be known.
  void compact(Index index);
  // Forgets everything and begins after `start`.
  void reset(const pb::LogStart& start);

 private:
  pb::LogStart start_;
  std::deque<EntryPtr> entries_;  // contiguous after start_
};

}  // namespace failsim::raft
