#include "tools/failsim/nodes.h"

#include <chrono>
#include <csignal>
#include <thread>

#include "cluster/units.h"
#include "tools/failsim/client.h"
#include "tools/failsim/control.h"
#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kEndLimit{10'000};
constexpr milliseconds kAskLimit{1'000};
constexpr milliseconds kAskPause{10};

}  // namespace

std::uint32_t node_number(const ClusterDescription& description, const std::string& name) {
  const std::optional<std::uint32_t> node = description.node_named(name);
  if (node) return *node;
  fail(Code::kNodeNotFound,
       "Cluster " + description.name + " has no node \"" + shortened(name) + "\".",
       "Its nodes are node-1 to node-" + std::to_string(description.nodes) + ".");
}

void add_process_ids(const ClusterDirectory& directory, json::value& nodes) {
  if (!nodes.is_array()) return;
  for (json::value& value : nodes.get_array()) {
    if (!value.is_object()) continue;
    json::object& node = value.get_object();
    const std::optional<ProcessMark> process = process_of_node(directory, text_in(node, "name"));
    node["pid"] = process ? json::value(process->pid) : json::value(nullptr);
  }
}

std::optional<ProcessMark> process_of_node(const ClusterDirectory& directory,
                                           const std::string& name) {
  const std::optional<RunningProcesses> running = directory.processes();
  const RunningChild* child = running ? running->find(name) : nullptr;
  if (child == nullptr || !is_alive(child->process)) return std::nullopt;
  return child->process;
}

pid_t end_node(const ClusterDirectory& directory, const std::string& name, int signal) {
  const std::optional<ProcessMark> process = process_of_node(directory, name);
  if (!process || !send_signal(*process, signal)) {
    fail(Code::kNodeDown, name + " is not running, so there is no process to end.",
         "Start it with: failsim node start " + name);
  }
  if (signal != SIGKILL) send_signal(*process, SIGCONT);  // a stopped one would not notice
  if (wait_until_gone(*process, kEndLimit)) return process->pid;
  fail(Code::kTimeout,
       name + " (process " + std::to_string(process->pid) + ") did not end within " +
           show_duration_ms(static_cast<std::uint64_t>(kEndLimit.count())) + ".",
       "End it with: failsim node kill " + name);
}

void check_node_directory(const ClusterDirectory& directory, std::uint32_t node) {
  std::error_code error;
  if (fs::is_directory(directory.node(node), error)) return;
  const std::string name = "node-" + std::to_string(node);
  fail(Code::kNodeNotAvailable,
       "The directory of " + name + ", " + directory.node(node).string() +
           ", is gone, and with it what " + name + " had promised to keep.",
       "Put it back from a copy, or form a new cluster with `failsim up` and another --dir.");
}

pid_t start_node(const ClusterDirectory& directory, const ClusterDescription& description,
                 std::uint32_t node, milliseconds limit) {
  const std::string name = "node-" + std::to_string(node);
  if (!directory.supervised()) {
    fail(Code::kConnectionRefused,
         "Cluster " + description.name + " is not running, so " + name + " is not started.",
         "Start the whole cluster with: failsim up --detach --dir " + directory.path().string());
  }
  check_node_directory(directory, node);
  command_supervisor(directory, {{"command", "start"}, {"node", name}});
  Client client(directory, description, limit);
  const auto deadline = steady_clock::now() + limit;
  while (steady_clock::now() < deadline) {
    const std::optional<ProcessMark> process = process_of_node(directory, name);
    if (!process) {
      const std::string last = last_line(directory.node_log(node));
      fail(Code::kNodeNotAvailable, name + " ended as soon as it was started: " + last,
           "Read its log with: failsim logs " + name);
    }
    const HttpAnswer answer = client.ask(node, "/v1/status", kAskLimit);
    if (answer.transport == Transport::kAnswered && answer.status == 200) return process->pid;
    std::this_thread::sleep_for(kAskPause);
  }
  fail(Code::kTimeout,
       name + " was started, but its interface did not answer within " +
           show_duration_ms(static_cast<std::uint64_t>(limit.count())) + ".",
       "Read its log with: failsim logs " + name);
}

}  // namespace failsim::cli
