// Looks at a cluster of processes all the time: asks every node who leads, some node for all that
// is agreed, waits for events, and watches the journals on the shared volume grow.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tools/failsim/client.h"
#include "tools/failsim/process_sight.h"

namespace failsim::cli {

class ProcessWatch {
 public:
  using Clock = Sight::Clock;

  // Threads of its own until the end of the object.
  ProcessWatch(const ClusterDirectory& directory, const ClusterDescription& description);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  Sight sight() const;
  // Events with a number above, in order, as far as they are known.
  std::vector<json::object> events_after(std::uint64_t number) const;
  std::uint64_t last_event() const;
  // Returns when there is something new, or at this time.
  void wait(Clock::time_point until);

 private:
  void watch_node(const std::stop_token& stop, std::uint32_t node);
  void watch_agreed(const std::stop_token& stop);
  void watch_events(const std::stop_token& stop);
  void watch_journals(const std::stop_token& stop);
  bool ask_agreed(Client& client, std::uint32_t node);
  void take_events(const json::array& events);
  void note_agreed(json::array nodes, json::array vms, json::array migrations, json::array tasks);
  // Whom to ask next: who leads, if somebody does, unless it failed last.
  std::uint32_t next_node(std::uint32_t failed) const;
  void publish();
  void pause(const std::stop_token& stop, Client::Milliseconds time);

  const ClusterDirectory directory_;
  const ClusterDescription description_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t version_ = 0;
  std::uint64_t seen_version_ = 0;
  Sight sight_;
  std::map<std::string, Clock::time_point> asked_;  // by source: when its last look began
  Clock::time_point agreed_at_;
  std::vector<json::object> events_;
  std::vector<std::jthread> threads_;
};

}  // namespace failsim::cli
