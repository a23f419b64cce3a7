// The right to execute guests, for a while: leases asked for and granted.
//
// A node asks with a nonce and counts from its own sending. The leader answers only after a quorum
// round begun after the request came; the grant names the leader's last log index and counts only
// once the node has applied through it. So whatever reassignment the leader had appended before the
// grant is known to the node before the grant helps it. A new leader treats every node as holding a
// full lease from the moment of its election.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "cluster/ids.h"
#include "cluster/proto/message.pb.h"
#include "cluster/time.h"

namespace failsim {

// Clock rates of two nodes differ by at most this share, in parts per thousand.
inline constexpr std::int64_t kClockRatePerMille = 1;

// A lease of length D on the clock of its holder ends no later than this ...
constexpr Duration shortened(Duration lease) {
  return lease - lease * kClockRatePerMille / 1000;
}
// ... and on the clock of the one who waits for its end, no earlier than this.
constexpr Duration lengthened(Duration lease) {
  return lease + lease * kClockRatePerMille / 1000;
}

// The node's side.
class LeaseHolder {
 public:
  // A request to be sent now; its nonce.
  std::uint64_t ask(Time now);
  void granted(std::uint64_t nonce, Index index, Duration length, Index applied);
  void applied(Index index);

  // Guests may execute before this time; 0 = never granted.
  Time until() const { return until_; }
  // Whether the lease in force was granted after the entry at `index`.
  bool covers(Index index, Time now) const { return newest_index_ >= index && now < newest_until_; }
  bool in_force(Time now) const { return now < until_; }
  Time last_asked() const { return last_asked_; }

 private:
  std::uint64_t next_nonce_ = 1;
  Time last_asked_ = 0;
  std::map<std::uint64_t, Time> asked_;  // nonce -> when; a few, oldest dropped
  std::map<Index, Time> waiting_;        // grants beyond the applied index -> until
  Time until_ = 0;
  Index newest_index_ = 0;  // of the grant with the highest index, and its end
  Time newest_until_ = 0;
};

// The leader's side.
class LeaseGrantor {
 public:
  // This member was elected: everybody may hold a lease of `bound` from now.
  void elected(Time now, Duration bound);
  // A request of this process came, whatever becomes of it.
  void asked(NodeId node, Incarnation incarnation, const pb::PeerMessage::LeaseRequest& request,
             Time now);
  void grant(NodeId node, Time now, Duration length);
  // From this time on no lease of the node is in force.
  Time ends(NodeId node) const;
  Time elected_at() const { return elected_at_; }
  // When the process last said that it holds a lease; the election if it has not since.
  Time held_at(NodeId node, Incarnation incarnation) const;
  // Whether the process asked since `since` and had applied the entry at `index` by then: it is
  // heard, it hears this leader, and what it hears takes effect.
  bool follows(NodeId node, Incarnation incarnation, Index index, Time since) const;

 private:
  struct Asked {
    Incarnation incarnation = 0;
    Time at = 0;
    Time held_at = 0;
    Index applied = 0;
  };

  Time elected_at_ = 0;
  Time all_end_ = 0;
  std::map<NodeId, Time> ends_;
  std::map<NodeId, Asked> asked_;  // since the election
};

}  // namespace failsim
