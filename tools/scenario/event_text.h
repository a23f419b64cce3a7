// Events as they are pinned, and what a run has covered.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/proto/state.pb.h"

namespace failsim::scenario {

// One line: "migration-state vm/web Setup -> Data Transfer @node-1 job_id=2". Without number and
// time, without prose, and without what a faster disk would change (rounds, bytes, downtime).
std::string event_text(const pb::EventRecord& event);

// Counts kinds of events, edges of MigrationState and VM states, failovers.
void count_event(const pb::EventRecord& event, std::map<std::string, std::uint64_t>& coverage);

}  // namespace failsim::scenario
