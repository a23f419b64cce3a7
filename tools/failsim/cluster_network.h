// The network of a cluster that was started with `up --netns`: each node and the shared volume in a
// namespace of its own, joined by veth pairs to a bridge in one more. Nothing of it is in the
// host's namespace, and nothing leads out of it.
//
// The processes keep the addresses that they have without it, 127.X.Y.K, on the interface eth0: so
// the same cluster runs with namespaces today and without tomorrow. What the command line asks of a
// node comes in by a socket of the host's namespace that the node inherits (listen_on), so no fault
// of the network gets between people and their nodes.
//
// The namespaces have no names. They end with the launcher, however it ends, so nothing is ever
// left over and two clusters cannot meet. To look inside: nsenter --net=/proc/PID/ns/net tcpdump.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cluster/error.h"
#include "tools/failsim/directory.h"
#include "tools/failsim/network_namespace.h"
#include "tools/failsim/packet_rules.h"

namespace failsim::cli {

class ClusterNetwork {
 public:
  // Needs root, the programs ip, tc and nft, and a kernel with veth, bridges, nf_tables and HTB; an
  // error says which of them is missing.
  static Result<ClusterNetwork> build(const ClusterDescription& description);
  // Whether build() would do here: builds a small one and takes it away again.
  static std::optional<Error> try_out();

  // Of "node-K" or "volume".
  const NetworkNamespace& of(const std::string& child) const { return ends_.at(child); }
  KernelSkills skills() const { return skills_; }

  // From now on packets are treated so. If there is an error they go on as before.
  std::optional<Error> treat(PacketTreatments treatments);

 private:
  ClusterNetwork(ClusterDescription description, NetworkNamespace bridge)
      : description_(std::move(description)), bridge_(std::move(bridge)) {}

  std::optional<Error> add_end(NodeId end, const std::string& address);
  bool knows_netem() const;

  ClusterDescription description_;
  NetworkNamespace bridge_;
  std::map<std::string, NetworkNamespace> ends_;  // by the name of the process
  KernelSkills skills_;
  PacketTreatments treatments_;
};

// A socket that listens in the namespace of the caller, for a child that runs elsewhere to inherit.
Result<FileDescriptor> listen_on(const std::string& address, std::uint16_t port);

}  // namespace failsim::cli
