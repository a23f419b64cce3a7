// The operator's actions as requests to the cluster: what the node's interface makes of the command
// line's calls, for the virtual world.
#pragma once

#include <functional>
#include <string>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "tools/scenario/action.h"

namespace failsim::scenario {

// Of a migration, unless --max-rounds says otherwise.
inline constexpr std::uint32_t kUsualMaxRounds = 30;

// "node-3" -> 3; kNoNode for what is no node's name.
NodeId node_named(const std::string& name);

// The configuration that `vm create` with these options asks for; kInvalidParameter when the sizes
// do not go together, with the rules of the command line.
Result<pb::VmConfig> vm_config_of(const Action& create);

// Whether it is a request-state-change whose period looks like a CIM interval and is none. That is
// no error of the interface but an answer of the job, 32773, and nothing is requested.
bool has_malformed_interval(const Action& action);

// The request of any verb but node kill, start and stop. An Error is the answer that the node's
// interface gives without asking the cluster: no such node, no such property, a value out of range.
// `newest_job` is asked for the word job(VM); 0: it has none.
Result<pb::Request> request_of(const Action& action, std::uint32_t nodes,
                               const std::function<TaskId(const std::string& vm)>& newest_job);

}  // namespace failsim::scenario
