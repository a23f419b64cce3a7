// What a member says again and again, asked or not: that it lives, to everybody; to the leader,
// that it wants a lease, and how its guests and transfers are.
//
// None of it is acknowledged. What is lost is said again: a beat and a request at the next
// interval, a report until the state has moved on.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/ids.h"
#include "cluster/member/local_work.h"
#include "cluster/member/peers.h"
#include "cluster/member/replica.h"
#include "cluster/membership/failure_detector.h"
#include "cluster/membership/lease.h"
#include "cluster/membership/store_history.h"
#include "cluster/proto/message.pb.h"
#include "cluster/raft/raft.h"
#include "cluster/time.h"

namespace failsim {

class Bulletins {
 public:
  // The parts of the member that it speaks of. All of them outlive this object.
  struct Parts {
    const Peers& peers;
    const Replica& replica;
    const raft::Raft& log;
    const FailureDetector& detector;
    LocalWork& local;
    const StoreHistory& history;
    LeaseHolder& lease;
  };

  Bulletins(const Parts& parts, Time now) : parts_(parts), next_beat_(now) {}

  // ---- something is to be said before its time ----
  void ask_soon() { lease_due_ = true; }
  void report_soon() { next_report_ = 0; }

  // The newest beat once more, for one that did not listen to it.
  pb::PeerMessage last_beat(NodeId peer, Time now) const;

  // ---- what is due at `now`; each is then not due for an interval ----
  std::vector<pb::PeerMessage> beats(Time now);
  std::optional<pb::PeerMessage> lease_request(Time now);
  std::optional<pb::PeerMessage> report(Time now);
  Time next_deadline(Time now) const;

 private:
  pb::PeerMessage::Heartbeat beat(Time now) const;
  Duration beat_interval() const { return parts_.replica.state().heartbeat_interval(); }
  Duration lease_interval() const;

  const Parts parts_;
  std::uint64_t beat_ = 0;
  Time next_beat_;
  Time next_report_ = kNever;
  bool lease_due_ = true;
};

}  // namespace failsim
