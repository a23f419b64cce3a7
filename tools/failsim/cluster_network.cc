#include "tools/failsim/cluster_network.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/fault/selector.h"

namespace failsim::cli {
namespace {

constexpr const char* kInterface = "eth0";  // of a node, in its namespace

// Packets with 127.X.Y.K may leave over an interface that says so. False if it cannot be said.
bool allow_loopback_addresses() {
  std::ofstream setting("/proc/sys/net/ipv4/conf/" + std::string(kInterface) + "/route_localnet");
  setting << 1 << std::flush;
  return setting.good();
}

std::string cable_script(const std::string& port, const std::string& namespace_path) {
  return "link add " + port + " type veth peer name " + kInterface + " netns " + namespace_path +
         "\nlink set " + port + " master cluster up\n";
}

// Without 127.0.0.0/8 on lo, which would keep the addresses of the others inside.
std::string address_script(const std::string& address) {
  const std::string interface(kInterface);
  return "link set lo up\naddress del 127.0.0.1/8 dev lo\naddress add " + address + "/24 dev " +
         interface + "\nlink set " + interface + " up\n";
}

}  // namespace

Result<ClusterNetwork> ClusterNetwork::build(const ClusterDescription& description) {
  Result<NetworkNamespace> bridge = NetworkNamespace::create();
  if (!bridge) return bridge.error();
  ClusterNetwork network(description, bridge.take());
  const std::string script = "link add cluster type bridge forward_delay 0\nlink set cluster up\n";
  if (auto error = network.bridge_.run({"ip", "-batch", "-"}, script)) return *error;
  for (NodeId node = 1; node <= description.nodes; ++node) {
    if (auto error = network.add_end(node, description.node_address(node))) return *error;
  }
  if (auto error = network.add_end(fault::kVolumeEnd, description.volume_address())) return *error;
  network.skills_.netem = network.knows_netem();
  if (auto error = network.treat({})) return *error;
  return network;
}

std::optional<Error> ClusterNetwork::add_end(NodeId end, const std::string& address) {
  const std::string port = port_of(end);
  Result<NetworkNamespace> made = NetworkNamespace::create();
  if (!made) return made.error();
  const NetworkNamespace& own = ends_.emplace(port, made.take()).first->second;
  if (auto error = bridge_.run({"ip", "-batch", "-"}, cable_script(port, own.path()))) return error;
  bool is_allowed = false;
  own.inside([&is_allowed] { is_allowed = allow_loopback_addresses(); });
  if (!is_allowed) {
    return Error{Code::kAccessDenied,
                 "The setting route_localnet of a network namespace cannot be changed, so " + port +
                     " would have no address.",
                 "Mount /proc/sys writable, or leave --netns out."};
  }
  if (auto error = own.run({"ip", "-batch", "-"}, address_script(address))) return error;
  return bridge_.run({"tc", "-batch", "-"}, "qdisc add dev " + port + " root handle 1: htb\n");
}

bool ClusterNetwork::knows_netem() const {
  return !bridge_.run({"tc", "-batch", "-"}, "qdisc add dev cluster root netem delay 1ms\n") &&
         !bridge_.run({"tc", "-batch", "-"}, "qdisc del dev cluster root\n");
}

std::optional<Error> ClusterNetwork::try_out() {
  if (::geteuid() != 0) {
    return Error{Code::kAccessDenied, "Only root may make network namespaces for --netns.",
                 "Run it as root, or leave --netns out: then the processes perform the faults."};
  }
  for (const auto& [program, package] :
       {std::pair("ip", "iproute2"), std::pair("tc", "iproute2"), std::pair("nft", "nftables")}) {
    if (!program_path(program).empty()) continue;
    return Error{Code::kNotFound,
                 "The program " + std::string(program) + " for --netns is missing.",
                 "Install the package " + std::string(package) + ", or leave --netns out."};
  }
  Result<ClusterNetwork> trial = build({"trial", "127.64.0", 1, 0, 0});
  if (!trial) return trial.error();
  PacketTreatments treatments;
  PacketTreatment& treatment = treatments[{1, fault::kVolumeEnd, PacketClass::kControl}];
  treatment.losses = {500};
  treatment.rate_bytes_per_s = 1'000'000;
  ClusterNetwork network = trial.take();
  return network.treat(std::move(treatments));
}

// The queues first: a packet that is marked for none is sent on as if it were not marked.
std::optional<Error> ClusterNetwork::treat(PacketTreatments treatments) {
  const std::string queues = queue_script(treatments_, treatments);
  if (!queues.empty()) {
    if (auto error = bridge_.run({"tc", "-batch", "-"}, queues)) return error;
  }
  const std::string filter = filter_script(treatments, description_);
  if (auto error = bridge_.run({"nft", "-f", "-"}, filter)) {
    const std::string back = queue_script(treatments, treatments_);
    if (!back.empty()) bridge_.run({"tc", "-batch", "-"}, back);
    return error;
  }
  treatments_ = std::move(treatments);
  return std::nullopt;
}

Result<FileDescriptor> listen_on(const std::string& address, std::uint16_t port) {
  FileDescriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  sockaddr_in there = {};
  there.sin_family = AF_INET;
  there.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &there.sin_addr);
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&there), sizeof there) == 0 &&
      ::listen(listener.get(), SOMAXCONN) == 0) {
    return listener;
  }
  return Error{Code::kInvalidParameter,
               "The address " + address + ":" + std::to_string(port) +
                   " of the HTTP interface cannot be used: " + std::strerror(errno) + ".",
               "Stop the process that uses it, or choose another subnet for the cluster."};
}

}  // namespace failsim::cli
