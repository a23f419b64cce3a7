// Writes unique values to one property of a running cluster and reads it back, beside whatever is
// done to the cluster: what was acknowledged must not be lost (S7).
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "tools/failsim/client.h"
#include "tools/failsim/seen_facts.h"

namespace failsim::cli {

class PropertyWriter {
 public:
  // `object`: "cluster" or "node/NAME". A thread of its own until stop().
  // What it writes and reads is told as facts.
  PropertyWriter(Client client, std::string object, std::uint64_t seed, SeenFacts& facts);

  // Returns when the write or read under way has ended, and has read the final value.
  void stop();
  // After stop().
  std::uint64_t acknowledged() const { return acknowledged_; }

 private:
  void run(const std::stop_token& stop, std::uint64_t seed);
  void write(const std::stop_token& stop);
  bool pause(const std::stop_token& stop, Client::Milliseconds time);
  void read();
  void complain(const Failure& failure);
  std::string target() const;

  Client client_;
  const std::string object_;
  const std::string register_;  // as facts name it
  SeenFacts& facts_;
  std::uint64_t written_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::jthread thread_;
};

}  // namespace failsim::cli
