#include "tools/failsim/client.h"

#include <algorithm>
#include <thread>

#include <boost/json/serialize.hpp>

#include "tools/failsim/nodes.h"
#include "tools/failsim/process.h"
#include "tools/failsim/silence.h"

namespace failsim::cli {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A node that is alive answers within this, or says that it cannot.
constexpr milliseconds kAttemptLimit{5000};
constexpr milliseconds kElectionPause{50};
// The others are only asked whether they know more.
constexpr milliseconds kSecondOpinion{1000};

Failure failure_of(const HttpAnswer& answer) {
  const std::optional<json::object> body = parse_object(answer.body);
  Error error = body ? error_from_json(object_in(*body, "error")) : Error{};
  if (error.code == Code::kOk) {
    error = {Code::kInvalidData,
             "A node answered with HTTP status " + std::to_string(answer.status) +
                 " and nothing this command understands.",
             "Check that failsim and failsim-node are of the same version."};
  }
  return {error, exit_code(error.code)};
}

}  // namespace

// What the nodes said in one round of attempts.
struct Client::Round {
  steady_clock::time_point deadline;
  milliseconds wait{0};
  std::optional<json::value> answer;
  std::optional<Failure> election;   // "not now" of some node
  std::optional<Failure> no_quorum;  // of some node
  std::optional<Failure> pending;    // accepted, and not ordered yet
  bool silent = false;               // some node took the request and did not answer
  bool any_connected = false;
};

Client::Client(const ClusterDirectory& directory, const ClusterDescription& description,
               Milliseconds limit)
    : directory_(directory),
      description_(description),
      token_(directory.token()),
      limit_(limit),
      client_id_(random_hex(8)) {}

json::value Client::get(const std::string& target) {
  return poll(target, Milliseconds(0));
}

json::value Client::poll(const std::string& target, Milliseconds wait) {
  HttpRequest request;
  request.method = "GET";
  request.target = target;
  if (wait.count() > 0) {
    request.target += (target.find('?') == std::string::npos ? "?" : "&");
    request.target += "wait_ms=" + std::to_string(wait.count());
  }
  return call(std::move(request), wait);
}

json::value Client::write(const std::string& method, const std::string& target,
                          const json::object& body) {
  HttpRequest request;
  request.method = method;
  request.target = target;
  request.request_id = client_id_ + ":" + std::to_string(++sequence_);
  if (!body.empty() || method != "DELETE") request.body = json::serialize(body);
  return call(std::move(request), Milliseconds(0));
}

HttpAnswer Client::ask(std::uint32_t node, const std::string& method, const std::string& target,
                       std::string body, Milliseconds timeout) {
  HttpRequest request;
  request.method = method;
  request.body = std::move(body);
  request.address = description_.node_address(node);
  request.port = kApiPort;
  request.target = target;
  request.token = token_;
  request.timeout = timeout;
  return exchange(request);
}

json::value Client::call(HttpRequest request, Milliseconds wait) {
  request.port = kApiPort;
  request.token = token_;
  const steady_clock::time_point deadline = steady_clock::now() + limit_ + wait;
  std::optional<Failure> election;
  bool is_taken = false;
  while (true) {
    Round round;
    round.deadline = deadline;
    round.wait = wait;
    ask_every_node(request, round);
    if (round.answer) return std::move(*round.answer);
    if (round.pending) throw *round.pending;
    if (round.election) election = round.election;
    is_taken = is_taken || round.silent;
    if (!round.any_connected) {
      fail(Code::kConnectionRefused,
           "No node of cluster " + description_.name + " answers at " + description_.subnet +
               (description_.nodes == 1 ? ".1" : ".1 to ." + std::to_string(description_.nodes)) +
               ", port " + std::to_string(kApiPort) + ".",
           "Start it with: failsim up --dir " + directory_.path().string() +
               ", or a single node with: failsim node start NODE.");
    }
    if (round.no_quorum && !round.election) throw *round.no_quorum;
    if (steady_clock::now() + kElectionPause >= deadline) break;
    std::this_thread::sleep_for(kElectionPause);
  }
  if (election) throw *election;
  fail(silence_of(directory_, description_, limit_, is_taken && !request.request_id.empty()));
}

// The one that answered last, then the others in turn; a stopped process would take the request and
// never answer, so those are the last to be asked.
std::vector<std::uint32_t> Client::nodes_to_ask() const {
  std::vector<std::uint32_t> nodes;
  for (std::uint32_t i = 0; i < description_.nodes; ++i) {
    nodes.push_back((preferred_ - 1 + i) % description_.nodes + 1);
  }
  std::stable_partition(nodes.begin(), nodes.end(), [this](std::uint32_t node) {
    const auto process = process_of_node(directory_, "node-" + std::to_string(node));
    return !process || !is_stopped(*process);
  });
  return nodes;
}

void Client::ask_every_node(HttpRequest& request, Round& round) {
  for (const std::uint32_t node : nodes_to_ask()) {
    const auto left = duration_cast<milliseconds>(round.deadline - steady_clock::now());
    if (round.any_connected && left.count() <= 0) return;
    request.address = description_.node_address(node);
    const milliseconds most = round.pending ? kSecondOpinion : kAttemptLimit + round.wait;
    request.timeout = std::max(milliseconds(1), std::min(most, left));
    const HttpAnswer answer = exchange(request);
    if (answer.transport == Transport::kRefused) continue;
    round.any_connected = true;
    if (answer.transport != Transport::kAnswered || answer.status == 408) {
      round.silent = true;
      continue;
    }
    const bool is_pending = answer.status == 202;
    if (answer.status >= 200 && answer.status < 300 && !is_pending) {
      std::optional<json::value> body = parse_json(answer.body.empty() ? "{}" : answer.body);
      if (!body) throw failure_of(answer);
      preferred_ = node;
      round.answer = std::move(*body);
      return;
    }
    Failure failure = failure_of(answer);
    if (is_pending) {
      round.pending = std::move(failure);
    } else if (failure.error.code == Code::kNotReady) {
      round.election = std::move(failure);
    } else if (failure.error.code == Code::kNoQuorum) {
      round.no_quorum = std::move(failure);
    } else {
      throw failure;
    }
  }
}

}  // namespace failsim::cli
