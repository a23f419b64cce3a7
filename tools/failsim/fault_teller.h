// Tells the cluster of the faults that the launcher performs, so that they stand among its events.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "tools/failsim/directory.h"
#include "tools/failsim/json.h"

namespace failsim::cli {

// One note after the other, each until some node has had it recorded: without a quorum they wait.
class FaultTeller {
 public:
  FaultTeller(ClusterDescription description, std::string token);
  // What is not told by then stays untold; it stands in the supervisor's log.
  ~FaultTeller();
  FaultTeller(const FaultTeller&) = delete;
  FaultTeller& operator=(const FaultTeller&) = delete;

  // Returns at once.
  void tell(const json::object& note);
  // Ends the thread as soon as the request under way has been answered.
  void request_stop() { thread_.request_stop(); }

 private:
  void run(const std::stop_token& stop);
  bool post(const std::string& body, std::uint64_t sequence);

  const ClusterDescription description_;
  const std::string token_;
  const std::string client_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::string> untold_;
  std::jthread thread_;
};

}  // namespace failsim::cli
