// Looks at a VM's guest all the time, from all nodes in turn: it counts on, and never back.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "tools/benchmark/test_cluster.h"

namespace failsim::bench {

class GuestWatch {
 public:
  // Watches in a thread of its own for as long as it lives; the cluster must outlive it.
  GuestWatch(const TestCluster& cluster, std::string vm);

  // How often the guest was seen.
  std::uint64_t sightings() const;
  std::uint64_t counter() const;
  // The first thing that was wrong, or nothing: the counter went back, or on by more than the time
  // allows, or the guest was booted anew.
  std::string wrong() const;

 private:
  using Clock = std::chrono::steady_clock;

  void watch(const std::stop_token& stop);
  void see(const json::object& guest, const std::string& node, Clock::time_point asked);
  void complain(const std::string& what);

  const TestCluster& cluster_;
  const std::string vm_;
  mutable std::mutex mutex_;
  std::uint64_t sightings_ = 0;
  std::uint64_t counter_ = 0;
  std::uint64_t boot_id_ = 0;
  Clock::time_point asked_;  // for the last sighting
  std::string wrong_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace failsim::bench
