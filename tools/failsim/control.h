// The socket on which a supervisor takes commands: one line of JSON each way, one connection each.
//
//   {"command":"start","node":"node-2"}  the node was stopped and is to be started again
//   {"command":"down"}                   stop every process and end
//   {"command":"fault-id"}               {"id":N}: a number for a fault
//   {"command":"fault","id":N,"order":"freeze node-2","by":"..."}    inject it, or renew its lease
//   {"command":"fault-packets","kind":"link-cut"}   {"performed":B}: by it, on packets (--netns)
//   {"command":"fault-list"}             {"faults":[...]}: those that the launcher performs
//   {"command":"fault-heal","id":N}      {"faults":[...]}: those healed; all of them without id
//
// The answer is {} or {"error":{...}}. The directory of a cluster may have a path longer than a
// socket address holds, so both sides reach the socket through a descriptor of the directory.
#pragma once

#include <string>

#include "tools/failsim/directory.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/json.h"

namespace failsim::cli {

// A listening socket in the directory; a former one there is replaced.
int listen_for_commands(const fs::path& directory);

// The next command on the listening socket, or nothing if the peer said none; `connection` takes
// the answer.
std::optional<json::object> accept_command(int listener, int& connection);
void answer_command(int connection, const json::object& answer);

// Sends a command to the supervisor of the directory and returns its answer; a Failure if it says
// so or is not there.
json::object command_supervisor(const ClusterDirectory& directory, const json::object& command);

}  // namespace failsim::cli
