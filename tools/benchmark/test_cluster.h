// A real cluster of processes in a temporary directory, driven by `failsim`; gone with the object.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tools/benchmark/cleanup.h"
#include "tools/failsim/client.h"
#include "tools/failsim/directory.h"
#include "tools/failsim/json.h"

namespace failsim::bench {

namespace json = boost::json;

// Of every cluster here: heartbeats each 250 ms, and a node is Down after three without one.
inline constexpr double kDetectionMs = 250 * 3;

struct VerbResult {
  int exit = 0;
  json::value answer;   // what stood on standard output; null if that was not JSON
  std::string message;  // of the error, if there was one
  double seconds = 0;
};

// The methods end in a cli::Failure when what they ask for does not come about.
class TestCluster {
 public:
  // Up, with `nodes` nodes, all of them Up and a leader elected; `more` are further words of `up`.
  explicit TestCluster(std::uint32_t nodes = 3, const std::vector<std::string>& more = {});
  // Takes it down, and removes its directory unless an exception is on its way.
  ~TestCluster();
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

  // How long the last `up` took.
  double up_seconds() const { return up_seconds_; }
  void down();
  void up_again();

  const cli::ClusterDirectory& directory() const { return directory_; }
  const cli::ClusterDescription& description() const { return description_; }
  std::vector<std::string> nodes() const;
  // For one thread.
  cli::Client new_client() const;

  // `failsim WORDS --output json`, from any thread; the first one wants exit status 0.
  json::value verb(const std::vector<std::string>& words) const;
  VerbResult try_verb(const std::vector<std::string>& words) const;

  // The answer to a GET, by any node; an election or a lost quorum is waited for.
  json::object get(const std::string& target) const;
  json::object vm(const std::string& name) const { return get("/v1/vms/" + name); }
  std::string leader() const;
  // Where the VM is not.
  std::string other_node_than(const std::string& node) const;

  cli::ProcessMark process_of(const std::string& node) const { return child(node).process; }
  // kill -9; returns when the process is gone.
  void kill_node(const std::string& node) const;
  // Starts it and waits until it is Up.
  void start_node(const std::string& node) const;
  // User and system time of all node processes so far.
  double cpu_seconds() const;

 private:
  void up(std::uint32_t nodes, const std::vector<std::string>& more);
  cli::RunningChild child(const std::string& node) const;

  cli::fs::path place_;  // the cluster's directory, and notes that are not the user's
  cli::ClusterDirectory directory_;
  Undo undo_;
  cli::ClusterDescription description_;
  double up_seconds_ = 0;
};

// Asks again and again until it holds; false after `limit`.
bool wait_until(const std::function<bool()>& holds, std::chrono::milliseconds limit);

}  // namespace failsim::bench
