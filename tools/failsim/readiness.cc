#include "tools/failsim/readiness.h"

#include <condition_variable>
#include <mutex>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/units.h"
#include "tools/failsim/http.h"

namespace failsim::cli {
namespace {

constexpr std::chrono::milliseconds kPause{20};
constexpr std::chrono::milliseconds kAttemptLimit{2000};
constexpr std::uint64_t kNodeUp = 0;  // CLUSTER_NODE_STATE

HttpAnswer ask(const ClusterDescription& description, const std::string& token, std::uint32_t node,
               const std::string& target) {
  HttpRequest request;
  request.method = "GET";
  request.address = description.node_address(node);
  request.port = kApiPort;
  request.target = target;
  request.token = token;
  request.timeout = kAttemptLimit;
  return exchange(request);
}

// What a node itself still lacks; empty if nothing.
std::string missing_at(const ClusterDescription& description, const std::string& token,
                       std::uint32_t node) {
  const std::string name = "node-" + std::to_string(node);
  const HttpAnswer answer = ask(description, token, node, "/v1/status");
  const std::optional<json::object> status = parse_object(answer.body);
  if (answer.transport != Transport::kAnswered) return name + " does not answer";
  if (answer.status != 200 || !status) return name + " gives no status";
  if (text_in(*status, "leader").empty()) return name + " knows no leader";
  return "";
}

// What the cluster has not yet agreed on about its nodes. A node that was Up before the restart may
// still be shown so: the incarnation tells the processes apart.
std::string missing_in_cluster(const ClusterDescription& description, const std::string& token,
                               const std::map<std::uint32_t, std::uint32_t>& instances) {
  const HttpAnswer answer = ask(description, token, 1, "/v1/nodes");
  const std::optional<json::value> nodes = parse_json(answer.body);
  if (answer.status != 200 || !nodes || !nodes->is_array()) return "node-1 lists no nodes";
  std::uint32_t up = 0;
  for (const json::value& value : nodes->get_array()) {
    if (!value.is_object()) continue;
    const json::object& node = value.get_object();
    const auto id = static_cast<std::uint32_t>(number_in(node, "id"));
    const auto instance = static_cast<std::uint32_t>(number_in(node, "incarnation"));
    const auto expected = instances.find(id);
    const bool is_up = enum_value_in(node, "state") == kNodeUp && expected != instances.end() &&
                       expected->second == instance;
    if (!is_up) return text_in(node, "name") + " is " + enum_name_in(node, "state");
    ++up;
  }
  return up == description.nodes ? "" : "the list of nodes is short";
}

}  // namespace

bool accepts_connections(const std::string& address, std::uint16_t port) {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in there = {};
  there.sin_family = AF_INET;
  there.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &there.sin_addr);
  const bool connected =
      probe >= 0 && ::connect(probe, reinterpret_cast<sockaddr*>(&there), sizeof there) == 0;
  if (probe >= 0) ::close(probe);
  return connected;
}

std::optional<Error> wait_until_ready(const ClusterDescription& description,
                                      const std::string& token,
                                      const std::map<std::uint32_t, std::uint32_t>& instances,
                                      std::chrono::milliseconds limit,
                                      const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::string missing;
  while (!stop.stop_requested() && std::chrono::steady_clock::now() < deadline) {
    missing.clear();
    for (std::uint32_t node = 1; node <= description.nodes && missing.empty(); ++node) {
      missing = missing_at(description, token, node);
    }
    if (missing.empty()) missing = missing_in_cluster(description, token, instances);
    if (missing.empty()) return std::nullopt;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, kPause, [] { return false; });
  }
  return Error{Code::kTimeout,
               "The cluster did not become ready within " +
                   show_duration_ms(static_cast<std::uint64_t>(limit.count())) + ": " + missing +
                   ".",
               "Read the reason with: failsim logs"};
}

}  // namespace failsim::cli
