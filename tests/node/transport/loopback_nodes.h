// Two nodes of one cluster in the process of a test. Tests of other processes run at the same time,
// so the addresses and the port are of this process, and below those that the system gives away.
#pragma once

#include <cstdint>
#include <string>

#include <unistd.h>

#include "cluster/ids.h"
#include "cluster/proto/state.pb.h"

namespace failsim::node {

inline pb::Bootstrap two_nodes() {
  const std::string network = "127.86." + std::to_string(::getpid() % 256) + ".";
  pb::Bootstrap two;
  two.set_cluster_id(7);
  for (NodeId id = 1; id <= 2; ++id) {
    pb::Bootstrap::Node& node = *two.add_nodes();
    node.set_id(id);
    node.set_address(network + std::to_string(id));
  }
  return two;
}

inline std::uint16_t port_of_nodes() {
  constexpr int kFirst = 20'000;
  return static_cast<std::uint16_t>(kFirst + ::getpid() / 256 % 10'000);
}

}  // namespace failsim::node
