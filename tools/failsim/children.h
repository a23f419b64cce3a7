// The processes of a cluster as their parent has them: the volume and the nodes, from their start
// until they are reaped.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "tools/failsim/cluster_network.h"
#include "tools/failsim/directory.h"
#include "tools/failsim/process.h"

namespace failsim::cli {

struct Child {
  std::string name;
  std::uint32_t node = 0;  // 0 = the volume
  pid_t pid = 0;
  ProcessMark mark;
  std::uint32_t instance = 0;
  fs::path log;
  std::chrono::steady_clock::time_point started;
};

// Used by one thread: the one that lives as long as the children are to (spawn.h).
class Children {
 public:
  // `faults`: the nodes may be told to inject faults.
  Children(ClusterDirectory directory, ClusterDescription description, bool faults);

  // Those started from now on run in the namespaces of the network, which outlives this.
  void move_to(const ClusterNetwork& network) { network_ = &network; }
  // Whether somebody listens at the volume's address.
  bool does_volume_listen() const;

  // A new process, under a new instance if it is a node. A Failure if it cannot be started.
  const Child& start_volume();
  const Child& start_node(std::uint32_t node);

  struct Ended {
    Child child;
    int status = 0;  // of waitpid
  };
  // A child that has ended and was not reaped yet; nothing if there is none.
  std::optional<Ended> reap();

  void signal_nodes(int signal) const { send_signal(signal, false); }
  void signal_volume(int signal) const { send_signal(signal, true); }

  bool empty() const { return children_.empty(); }
  bool is_any_node_alive() const { return is_any_alive(false); }
  bool is_volume_alive() const { return is_any_alive(true); }
  // Null if there is none that is not reaped.
  const Child* node(std::uint32_t node) const;
  // The newest process of "node-K" or "volume" that is not reaped; until then one that was killed
  // may still have its files.
  std::optional<pid_t> process_of(const std::string& name) const;
  // The instances of the nodes' processes.
  std::map<std::uint32_t, std::uint32_t> instances() const;
  // All of them and this very process.
  RunningProcesses running() const;

 private:
  const Child& start(Child child, const std::vector<std::string>& command, int listener = -1);
  void send_signal(int signal, bool to_volume) const;
  bool is_any_alive(bool volume) const;

  const ClusterDirectory directory_;
  const ClusterDescription description_;
  const bool faults_;
  const fs::path program_;
  const ClusterNetwork* network_ = nullptr;  // null: they run where their parent runs
  std::vector<Child> children_;  // in the order of their starts
};

}  // namespace failsim::cli
