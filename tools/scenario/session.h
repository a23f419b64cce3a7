// What people did to a cluster and what broke meanwhile, as a scenario: read from the cluster's
// log, which holds every request with its answer, every fault that was injected, and every node
// that died or joined.
//
// A step is recorded with what the cluster had come to when it was taken (a migration in Data
// Transfer, a node Down, a task that had ended) rather than with the time alone, so that it is
// taken at the same moment where things are faster or slower. At the end, every task has to come
// out as it did.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/durable.h"
#include "cluster/error.h"
#include "cluster/proto/state.pb.h"
#include "tools/scenario/scenario.h"

namespace failsim::scenario {

struct Session {
  pb::Bootstrap bootstrap;
  std::vector<EntryPtr> entries;  // the log from its first entry, as far as it is agreed
};

struct RecordedSession {
  Scenario scenario;
  // What happened and could not be recorded, one sentence each.
  std::vector<std::string> remarks;
};

// What came at or after `since`, in the wall time of the cluster; everything if 0. kInvalidData if
// the log does not begin with its first entry; kNotFound if nothing was done since then.
Result<RecordedSession> record_session(const Session& session, std::int64_t since_wall_ns = 0);

}  // namespace failsim::scenario
