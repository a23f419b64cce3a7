// A request to the cluster as the action that an operator typed: requests.h the other way round.
#pragma once

#include <functional>
#include <optional>

#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "tools/scenario/action.h"

namespace failsim::scenario {

// How a task of the cluster is called where the action will be performed: "4" or "job(web)".
using TaskWord = std::function<std::string(TaskId)>;

// What is at its default is left out. Nothing for a request that is no operator's action, or of a
// property that the table does not declare.
std::optional<Action> action_of(const pb::Request& request, const TaskWord& task_word);

}  // namespace failsim::scenario
