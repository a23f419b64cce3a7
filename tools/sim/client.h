// A client of the virtual cluster: one request at a time, asked of any node, and asked again under
// the same id until the outcome is known.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cluster/ids.h"
#include "cluster/proto/command.pb.h"
#include "cluster/random.h"
#include "cluster/state/cluster_state.h"
#include "tools/sim/world.h"

namespace failsim::sim {

class Client {
 public:
  using Done = std::function<void(const pb::Reply&)>;
  using Seen = std::function<void(const ClusterState&)>;

  Client(World& world, std::string name, std::uint64_t seed)
      : world_(world), name_(std::move(name)), random_(seed) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The request gets this client's name and its next number. The client must not be busy.
  void ask(pb::Request request, Done done);
  // Everything acknowledged before is in what `seen` gets.
  void read(Seen seen);
  bool is_busy() const { return is_busy_; }
  // What it waits for, in words; empty if it is not busy.
  std::string waits_for() const;

 private:
  NodeId any_node();
  void try_to_ask();
  void answered(std::uint64_t sequence, const pb::Reply& reply);
  void try_to_read(Seen seen);
  void again(Duration delay, std::function<void()> action);

  World& world_;
  const std::string name_;
  Random random_;
  bool is_busy_ = false;
  std::uint64_t attempt_ = 0;  // raised by every attempt: older ones no longer count
  pb::Request request_;
  Done done_;
};

}  // namespace failsim::sim
