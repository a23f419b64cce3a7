// What a leader knows of one follower and how it is feeding it.
//
//   Probing      where the logs agree is not known: one message at a time, repeated by heartbeats
//   Replicating  they agree: entries are sent on without waiting, up to a bound in flight
//   Restoring    the entries it needs are compacted: a snapshot is streamed, chunk by chunk
//
//   Probing -> Replicating      a message since the probing began succeeded
//   Replicating -> Probing      a message since the replicating began was refused: one was lost
//   either -> Restoring         the entry before `next` is no longer in the log
//   Restoring -> Replicating    the snapshot is installed, or the follower was not that far behind
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <variant>

#include "cluster/ids.h"
#include "cluster/raft/snapshot.h"
#include "cluster/time.h"

namespace failsim::raft {

struct Probing {
  std::uint64_t since = 0;  // round of the first message; answers to earlier ones say nothing new
};

struct Replicating {
  std::uint64_t since = 0;
  std::deque<std::uint64_t> in_flight;  // rounds of the messages with entries not answered

  // An answer to a later message covers the earlier ones: lost or overtaken, they are settled.
  void answered(std::uint64_t round) {
    while (!in_flight.empty() && in_flight.front() <= round) in_flight.pop_front();
  }
};

struct Restoring {
  std::shared_ptr<const SnapshotSource> source;  // null until the owner provides one
  std::size_t chunk = 0;                         // being sent
  std::uint64_t round = 0;                       // of the message that carries it
  Time resend_at = kNever;
};

struct Progress {
  Index match = 0;          // durable there and equal to the leader's log, up to here
  Index next = 0;           // the first entry to send; above match, optimistic while replicating
  std::uint64_t round = 0;  // the highest round it echoed
  Time heard_at = 0;
  std::variant<Probing, Replicating, Restoring> state;

  void heard(Time now, std::uint64_t echoed) {
    heard_at = now;
    round = std::max(round, echoed);
  }
};

}  // namespace failsim::raft
