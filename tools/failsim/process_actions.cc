#include "tools/failsim/process_actions.h"

#include <csignal>

#include "tools/failsim/action_requests.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/nodes.h"

namespace failsim::cli {
namespace {

Performed perform_node_action(const scenario::Action& action, Client& client) {
  const std::string& node = action.words[0];
  const std::uint32_t number = node_number(client.description(), node);
  if (action.verb == "node kill") end_node(client.directory(), node, SIGKILL);
  if (action.verb == "node stop") end_node(client.directory(), node, SIGTERM);
  if (action.verb == "node start" && !process_of_node(client.directory(), node)) {
    start_node(client.directory(), client.description(), number, kActionLimit);
  }
  return {};
}

}  // namespace

Performed perform_action(const scenario::Action& action, const NewestJobs& jobs, Client& client) {
  try {
    if (action.verb.starts_with("node ")) return perform_node_action(action, client);
    const auto call = api_call_of(action, [&jobs](const std::string& vm) {
      const auto job = jobs.find(vm);
      return job == jobs.end() ? 0 : job->second;
    });
    if (!call) return {call.error().code, call.error().message, nullptr};
    return {Code::kOk, "",
            client.write(call.value().method, call.value().target, call.value().body)};
  } catch (const Failure& failure) {
    return {failure.error.code, failure.error.message, nullptr};
  }
}

}  // namespace failsim::cli
