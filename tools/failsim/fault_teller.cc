#include "tools/failsim/fault_teller.h"

#include <chrono>
#include <utility>

#include <boost/json/serialize.hpp>

#include "tools/failsim/files.h"
#include "tools/failsim/http.h"

namespace failsim::cli {
namespace {

// A node that is frozen takes the request and does not answer: the others are asked first.
constexpr std::chrono::milliseconds kAttemptLimits[] = {std::chrono::milliseconds(250),
                                                        std::chrono::milliseconds(2'000)};
constexpr std::chrono::milliseconds kPause{200};
constexpr std::size_t kUntoldMax = 256;

}  // namespace

FaultTeller::FaultTeller(ClusterDescription description, std::string token)
    : description_(std::move(description)),
      token_(std::move(token)),
      client_("launcher-" + random_hex(8)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

FaultTeller::~FaultTeller() = default;

void FaultTeller::tell(const json::object& note) {
  const std::lock_guard lock(mutex_);
  untold_.push_back(json::serialize(note));
  if (untold_.size() > kUntoldMax) untold_.pop_front();
  changed_.notify_one();
}

void FaultTeller::run(const std::stop_token& stop) {
  std::uint64_t sequence = 0;
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !untold_.empty(); })) {
    const std::string body = std::move(untold_.front());
    untold_.pop_front();
    ++sequence;
    lock.unlock();
    bool is_told = post(body, sequence);
    lock.lock();
    while (!is_told && !stop.stop_requested()) {
      changed_.wait_for(lock, stop, kPause, [] { return false; });
      lock.unlock();
      is_told = post(body, sequence);
      lock.lock();
    }
    if (stop.stop_requested()) return;
  }
}

bool FaultTeller::post(const std::string& body, std::uint64_t sequence) {
  HttpRequest request;
  request.method = "POST";
  request.target = "/v1/fault-notes";
  request.port = kApiPort;
  request.token = token_;
  request.request_id = client_ + ":" + std::to_string(sequence);
  request.body = body;
  for (const std::chrono::milliseconds limit : kAttemptLimits) {
    request.timeout = limit;
    for (std::uint32_t node = 1; node <= description_.nodes; ++node) {
      request.address = description_.node_address(node);
      const HttpAnswer answer = exchange(request);
      if (answer.transport == Transport::kAnswered && answer.status / 100 == 2) return true;
    }
  }
  return false;
}

}  // namespace failsim::cli
