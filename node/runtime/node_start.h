// One start of a node: what its member is made of, and what of the start is written down.
//
// Chance and the machine's clocks are asked here, once; from then on nobody's clock but the loop's
// is told to the member. So a recording that begins with this replays (storage/recording.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cluster/durable.h"
#include "cluster/ids.h"
#include "cluster/member.h"
#include "cluster/time.h"
#include "node/runtime/recorder.h"
#include "storage/observations.h"
#include "storage/store.h"

namespace failsim::node {

class NodeStart {
 public:
  // Files go into the directory, named by the number of the start, and none grows beyond the limit;
  // 0 = nothing is written down. A file that cannot be created is said in the log; the node goes
  // on.
  NodeStart(const StoreIdentity& identity, Incarnation incarnation, const Recovered& recovered,
            const std::string& directory, std::uint64_t record_limit_bytes);

  const MemberConfig& member() const { return member_; }
  Time at() const { return at_; }
  Recorder& recorder() { return recorder_; }
  // Of what guests, transfers and faults do; null: it is not written down.
  ObservationLog* observations() const { return observations_.get(); }

 private:
  const std::unique_ptr<ObservationLog> observations_;
  const MemberConfig member_;
  const Time at_;
  Recorder recorder_;
};

}  // namespace failsim::node
