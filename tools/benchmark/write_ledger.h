// Writers that note what the cluster acknowledged, so that it can be held to its word.
//
// Each writer has an object of its own and gives its Description one unique text after the other.
// Of what was acknowledged last, or any later attempt, the property shows one for ever; and each
// acknowledged text has exactly one event.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tools/benchmark/event_follower.h"
#include "tools/benchmark/report.h"
#include "tools/benchmark/test_cluster.h"

namespace failsim::bench {

class WriteLedger {
 public:
  // Creates the objects and begins to write, until destroyed; the cluster must outlive it.
  WriteLedger(const TestCluster& cluster, std::uint32_t writers);

  // Expects every node to show, for each writer, nothing older than what was acknowledged.
  void expect_kept(Report& report) const;
  // Expects of the events since the last call that none is missing or doubled for what was
  // acknowledged.
  void expect_events(Report& report);
  std::uint64_t acknowledged() const;

 private:
  struct Writer {
    std::string object;
    std::mutex mutex;
    std::uint64_t attempted = 0;
    std::uint64_t acknowledged = 0;        // the last one
    std::vector<std::uint64_t> unmatched;  // acknowledged, and no event seen so far
    std::uint64_t count = 0;               // of the acknowledged
    std::jthread thread;
  };

  void write(Writer& writer, const std::stop_token& stop);
  void expect_kept_by(std::uint32_t node, Writer& writer, Report& report) const;

  const TestCluster& cluster_;
  EventFollower events_;
  std::map<std::string, std::uint64_t> events_seen_;  // by "object text"
  std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace failsim::bench
