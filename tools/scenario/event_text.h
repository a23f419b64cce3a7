// Events as they are pinned.
#pragma once

#include <string>

#include "cluster/proto/state.pb.h"

namespace failsim::scenario {

// One line: "migration-state vm/web Setup -> Data Transfer @node-1 job_id=2". Without number and
// time, without prose, and without what a faster disk would change (rounds, bytes, downtime).
std::string event_text(const pb::EventRecord& event);

}  // namespace failsim::scenario
