// The virtual world: nodes, network, disks, shared volume and checkers in one event queue.
//
// Everything follows from the seed: the same world told the same things has the same trace, on any
// machine. Faults belong to the world; the members know nothing of them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "cluster/ids.h"
#include "cluster/mistakes.h"
#include "cluster/random.h"
#include "cluster/time.h"
#include "tools/report/checker.h"
#include "tools/report/fact.h"
#include "tools/sim/disk.h"
#include "tools/sim/event_queue.h"
#include "tools/sim/failpoints.h"
#include "tools/sim/host.h"
#include "tools/sim/network.h"
#include "tools/sim/process.h"
#include "tools/sim/shared_volume.h"
#include "tools/sim/trace.h"

namespace failsim::sim {

struct WorldConfig {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 3;
  std::uint64_t node_memory_bytes = std::uint64_t{4} << 30;
  // Of the cluster, at birth: heartbeats every 250 ms, a node is Down after three of them.
  std::vector<std::pair<std::string, std::uint32_t>> properties = {{"SameSubnetDelay", 250},
                                                                   {"SameSubnetThreshold", 3}};
  LinkQuality link;
  DiskQuality disk;
  HostQuality host;
  Index compact_every = 10'000;
  Index check_state_every = 200;
  bool encode_messages = false;  // every message travels as bytes
  [[no_unique_address]] Mistakes mistakes;
  std::ostream* trace_lines = nullptr;
  history::Sink* sink = nullptr;  // gets every fact of the run
};

class World {
 public:
  explicit World(const WorldConfig& config);
  ~World();

  // ---- time ----
  Time now() const { return queue_.now(); }
  void run_until(Time end);
  void run_for(Duration duration) { run_until(now() + duration); }
  // Stops as soon as the condition holds; false if it does not within the time.
  bool run_until(const std::function<bool()>& condition, Duration at_most);
  EventQueue& queue() { return queue_; }

  // ---- processes ----
  const std::vector<NodeId>& nodes() const { return nodes_; }
  // Nothing starts where one runs, or where the store is refused.
  void start(NodeId node);
  void start_all();
  enum class Evidence {
    kNone,
    kReported
  };  // whether the launcher tells that it reaped the process
  void kill(NodeId node, Evidence evidence = Evidence::kNone);       // kill -9
  void power_off(NodeId node, Evidence evidence = Evidence::kNone);  // with its disk's cache
  void stop(NodeId node);                                            // SIGSTOP
  void cont(NodeId node);
  void leave(NodeId node);
  bool is_running(NodeId node) const { return process(node) != nullptr; }
  bool is_stopped(NodeId node) const;
  // Null if no process runs there.
  Process* process(NodeId node) const;
  const Member& member(NodeId node) const;
  // Of the running members the one that has committed most, as far as it knows; null if none runs.
  const Member* furthest() const;
  // Who leads in the highest term and is not stopped; with kReady only once it has committed an
  // entry of its term. kNoNode if nobody does.
  enum class Leads { kAtAll, kReady };
  NodeId leader(Leads leads) const;

  // ---- clients ----
  // False if nobody listens there or no client reaches it. The answer may never come.
  bool ask(NodeId node, const pb::Request& request, Process::Replied replied);
  // `answered` may look at the member's state, and must not call into the world.
  bool read(NodeId node, Process::ReadAnswered answered);

  // ---- the rest of the world ----
  Network& network() { return network_; }
  SharedVolume& volume() { return volume_; }
  Disk& disk(NodeId node) { return *seats_.at(node).disk; }
  // The clock of the node's machine and what is wrong with it. After a change of the clock:
  // clock_changed().
  Machine& machine(NodeId node) { return seats_.at(node).machine; }
  void clock_changed(NodeId node);
  DirtyRates& dirty_rates() { return dirty_rates_; }
  Failpoints& failpoints() { return failpoints_; }
  // Cuts are counted: clients reach the node again when each is taken back.
  bool speaks_another_version(NodeId node) const {
    const auto seat = seats_.find(node);
    return seat != seats_.end() && seat->second.machine.other_versions > 0;
  }
  void cut_clients(NodeId node) { ++seats_.at(node).client_cuts; }
  void heal_clients(NodeId node) { --seats_.at(node).client_cuts; }
  history::Checker& checker() { return checker_; }
  Trace& trace() { return trace_; }
  const pb::Bootstrap& bootstrap() const { return bootstrap_; }
  // Cuts both directions between every node of one side and every node of the other.
  void partition(const std::vector<NodeId>& one, const std::vector<NodeId>& other);

 private:
  struct Seat {
    Machine machine;
    std::unique_ptr<Disk> disk;
    int client_cuts = 0;
    std::shared_ptr<Process> process;
  };

  static pb::Bootstrap bootstrap_of(const WorldConfig& config);
  void send(pb::PeerMessage message);
  void hand_over(NodeId to, const std::shared_ptr<const pb::PeerMessage>& message,
                 std::uint64_t id);
  void ended(NodeId node, Evidence evidence);
  void report_death(NodeId node, Incarnation incarnation);
  HostWorld host_world();
  bool is_reachable(NodeId node) const { return seats_.at(node).client_cuts == 0; }

  const WorldConfig config_;
  const pb::Bootstrap bootstrap_;
  EventQueue queue_;
  Trace trace_;
  Network network_;
  SharedVolume volume_;
  history::Checker checker_;
  Failpoints failpoints_;
  DirtyRates dirty_rates_;
  Random random_;  // of what the world itself draws: instances, the launcher's delays
  std::vector<NodeId> nodes_;
  std::map<NodeId, Seat> seats_;
};

}  // namespace failsim::sim
