#include "cluster/raft/snapshot.h"

#include <utility>

namespace failsim::raft {
namespace {

pb::LogStart position_in(const pb::RaftMessage::Snapshot& message) {
  pb::LogStart position;
  position.set_index(message.last_index());
  position.set_term(message.last_term());
  position.set_checksum(message.last_checksum());
  return position;
}

}  // namespace

std::optional<InstalledSnapshot> SnapshotAssembly::add(Term term,
                                                       const pb::RaftMessage::Snapshot& message) {
  if (message.chunk() == 0) {
    leader_term_ = term;
    snapshot_ = {position_in(message), {}};
  }
  if (!is_part(term, message) || message.chunk() != snapshot_.chunks.size()) return std::nullopt;
  snapshot_.chunks.push_back(message.data());
  if (!message.last_chunk()) return std::nullopt;
  return std::exchange(snapshot_, {});
}

std::size_t SnapshotAssembly::next_chunk(Term term,
                                         const pb::RaftMessage::Snapshot& message) const {
  return is_part(term, message) ? snapshot_.chunks.size() : 0;
}

bool SnapshotAssembly::is_part(Term term, const pb::RaftMessage::Snapshot& message) const {
  return leader_term_ == term && snapshot_.position.index() == message.last_index() &&
         snapshot_.position.term() == message.last_term();
}

}  // namespace failsim::raft
