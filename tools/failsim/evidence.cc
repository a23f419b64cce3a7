#include "tools/failsim/evidence.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <boost/json/serialize.hpp>

#include "tools/failsim/http.h"

namespace failsim::cli {
namespace {

constexpr std::chrono::milliseconds kAttemptLimit{2000};
constexpr std::chrono::milliseconds kPause{50};

// Whether some node accepted it; each is told, so that the news does not hang on one.
bool tell_all(const ClusterDescription& description, HttpRequest& request,
              std::uint32_t dead_node) {
  bool accepted = false;
  for (std::uint32_t node = 1; node <= description.nodes; ++node) {
    if (node == dead_node) continue;
    request.address = description.node_address(node);
    const HttpAnswer answer = exchange(request);
    accepted |= answer.transport == Transport::kAnswered && answer.status / 100 == 2;
  }
  return accepted;
}

}  // namespace

EvidenceReports::EvidenceReports(ClusterDescription description, std::string token)
    : description_(std::move(description)), token_(std::move(token)) {}

void EvidenceReports::report(std::uint32_t dead_node, std::uint32_t instance) {
  const auto tell = [this, dead_node, instance](const std::stop_token& stop) {
    HttpRequest request;
    request.method = "POST";
    request.target = "/v1/evidence";
    request.port = kApiPort;
    request.token = token_;
    request.timeout = kAttemptLimit;
    request.body = json::serialize(
        json::object{{"node", "node-" + std::to_string(dead_node)}, {"instance", instance}});
    std::mutex mutex;
    std::condition_variable_any stopped;
    while (!stop.stop_requested() && !tell_all(description_, request, dead_node)) {
      std::unique_lock lock(mutex);
      stopped.wait_for(lock, stop, kPause, [] { return false; });
    }
  };
  reports_[dead_node] = std::jthread(tell);
}

void EvidenceReports::withdraw(std::uint32_t node) {
  const auto report = reports_.find(node);
  if (report == reports_.end()) return;
  report->second.request_stop();
  withdrawn_.push_back(std::move(report->second));
  reports_.erase(report);
}

void EvidenceReports::request_stop() {
  for (auto& [node, thread] : reports_) thread.request_stop();
}

void EvidenceReports::stop() {
  request_stop();
  withdrawn_.clear();
  reports_.clear();
}

}  // namespace failsim::cli
