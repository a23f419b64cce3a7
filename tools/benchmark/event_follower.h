// Reads a cluster's events, each once and in order.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "tools/failsim/client.h"
#include "tools/failsim/json.h"

namespace failsim::bench {

namespace json = boost::json;

class EventFollower {
 public:
  explicit EventFollower(cli::Client client) : client_(std::move(client)) {}

  // Those that have happened since the last call, by any node's word.
  std::deque<json::object> take_new();
  // The next event that fits, or nothing within the limit; those before it are passed over.
  std::optional<json::object> wait_for(const std::function<bool(const json::object&)>& fits,
                                       std::chrono::milliseconds limit);
  // Events are numbered without gaps; what was wrong with that, or nothing.
  const std::string& gap() const { return gap_; }

 private:
  // The next page of events; more than a page may wait.
  bool read(std::chrono::milliseconds wait);

  cli::Client client_;
  std::uint64_t last_ = 0;
  std::deque<json::object> unread_;
  std::string gap_;
};

// When it happened, by the wall clock of the node that proposed it: milliseconds since 1970.
double event_time_ms(const json::object& event);
// This machine's wall clock on the same scale.
double wall_time_ms();

}  // namespace failsim::bench
