// Snapshots: how a leader reads one out and how a follower puts one together.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cluster/ids.h"
#include "cluster/proto/raft.pb.h"

namespace failsim::raft {

// An immutable picture of the applied state, cut in chunks as they are asked for.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  virtual pb::LogStart position() const = 0;    // the last entry it contains
  virtual std::size_t chunk_count() const = 0;  // at least 1
  virtual std::string chunk(std::size_t number) const = 0;
};

struct InstalledSnapshot {
  pb::LogStart position;
  std::vector<std::string> chunks;
};

// The chunks a follower has so far. Belongs to the member, not to its role: a snapshot half
// received survives a pre-vote in between.
class SnapshotAssembly {
 public:
  // Takes a chunk sent by the leader of `term`; chunk 0 begins anew, and chunks of different
  // leaders are never mixed. Returns the complete snapshot with its last chunk.
  std::optional<InstalledSnapshot> add(Term term, const pb::RaftMessage::Snapshot& message);
  // The chunk that should come next of the snapshot `message` is part of.
  std::size_t next_chunk(Term term, const pb::RaftMessage::Snapshot& message) const;

 private:
  bool is_part(Term term, const pb::RaftMessage::Snapshot& message) const;

  Term leader_term_ = 0;
  InstalledSnapshot snapshot_;
};

}  // namespace failsim::raft
