#include "tools/failsim/birth.h"

#include <array>
#include <cerrno>
#include <charconv>

#include <arpa/inet.h>
#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/property/clusprop.h"
#include "cluster/property/property_table.h"
#include "cluster/proto/state.pb.h"
#include "cluster/units.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/registry.h"
#include "tools/failsim/spawn.h"

namespace failsim::cli {
namespace {

// The second number of our addresses: away from the lower ones, which people use by hand.
constexpr std::uint32_t kFirstNet = 64;
constexpr std::uint32_t kNets = 63;

// Whether a socket of this type may be bound there. SO_REUSEADDR, as servers do: a connection that
// is merely in TIME_WAIT does not hold the port.
bool can_bind(const std::string& address, std::uint16_t port, int type) {
  const int probe = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (probe < 0) fail_errno("Opening a socket failed", "Check the limit of open files.");
  const int on = 1;
  if (type == SOCK_STREAM) ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in there = {};
  there.sin_family = AF_INET;
  there.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &there.sin_addr);
  const bool bound = ::bind(probe, reinterpret_cast<sockaddr*>(&there), sizeof there) == 0;
  ::close(probe);
  return bound;
}

std::string free_subnet(const ClusterDirectory& directory, ClusterDescription description) {
  const auto start = static_cast<std::uint32_t>(stable_hash(directory.path().string()) >> 32);
  for (std::uint32_t i = 0; i < kNets * 256; ++i) {
    const std::uint32_t number = (start + i) % (kNets * 256);
    description.subnet =
        "127." + std::to_string(kFirstNet + number / 256) + "." + std::to_string(number % 256);
    if (!port_in_use(description)) return description.subnet;
  }
  fail(Code::kNoSystemResources, "No loopback network from 127.64.0 to 127.126.255 is free.",
       "Stop a cluster with: failsim down");
}

// One NAME=VALUE, checked against the table of cluster properties.
pb::Bootstrap::Property parse_property(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    fail_usage("--set \"" + shortened(text) + "\" is not NAME=VALUE.",
               "Write it like --set SameSubnetDelay=250.");
  }
  const Result<const PropertySpec*> spec = lookup(ObjectKind::kCluster, text.substr(0, equals));
  if (!spec) fail(spec.error());
  const Result<Value> value = parse(*spec.value(), text.substr(equals + 1));
  if (!value) throw Failure{value.error(), kExitUsage};
  if (const std::optional<Error> refused = check_client_write(*spec.value(), value.value())) {
    throw Failure{*refused, kExitUsage};
  }
  const Result<std::string> bytes = encode_value(value.value());
  if (!bytes) fail(bytes.error());
  pb::Bootstrap::Property property;
  property.set_name(std::string(spec.value()->name));
  property.set_value(bytes.value());
  return property;
}

std::uint64_t random_id() {
  const std::string digits = random_hex(8);
  std::uint64_t id = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
  return id == 0 ? 1 : id;  // 0 means "none" everywhere
}

pb::Bootstrap bootstrap_of(const ClusterDescription& description,
                           const std::vector<pb::Bootstrap::Property>& properties) {
  pb::Bootstrap bootstrap;
  bootstrap.set_format(1);
  bootstrap.set_cluster_id(random_id());
  bootstrap.set_cluster_name(description.name);
  bootstrap.set_recovery_epoch(1);
  for (std::uint32_t id = 1; id <= description.nodes; ++id) {
    pb::Bootstrap::Node* node = bootstrap.add_nodes();
    node->set_id(id);
    node->set_store_id(random_id());
    node->set_address(description.node_address(id));
    node->set_memory_bytes(description.node_memory_bytes);
  }
  for (const pb::Bootstrap::Property& property : properties) {
    *bootstrap.add_properties() = property;
  }
  return bootstrap;
}

void format_stores(const ClusterDirectory& directory, const ClusterDescription& description) {
  const std::string node_program = node_executable().string();
  for (std::uint32_t id = 1; id <= description.nodes; ++id) {
    run_to_end({node_program, "format", "--dir", directory.node(id).string(), "--node",
                std::to_string(id), "--bootstrap", directory.bootstrap_file().string()},
               "Formatting the store of node-" + std::to_string(id),
               "Mend that and run `failsim up` again.");
  }
}

// A marker says that what else lies there is ours, from a birth that did not end.
fs::path marker(const ClusterDirectory& directory) {
  return directory.path() / "being-created";
}

void clear_unfinished(const ClusterDirectory& directory) {
  for (std::uint32_t id = 1; id <= kMaximumNodes; ++id) fs::remove_all(directory.node(id));
  fs::remove_all(directory.volume());
}

}  // namespace

std::optional<std::string> port_in_use(const ClusterDescription& description) {
  const auto shown = [](const std::string& address, std::uint16_t port) {
    return address + " port " + std::to_string(port);
  };
  for (std::uint32_t id = 1; id <= description.nodes; ++id) {
    const std::string address = description.node_address(id);
    for (const std::uint16_t port : {kApiPort, kPeerPort, kMigrationPort}) {
      if (!can_bind(address, port, SOCK_STREAM)) return shown(address, port);
    }
    if (!can_bind(address, kPeerPort, SOCK_DGRAM)) return shown(address, kPeerPort) + " (UDP)";
  }
  if (!can_bind(description.volume_address(), kVolumePort, SOCK_STREAM)) {
    return shown(description.volume_address(), kVolumePort);
  }
  return std::nullopt;
}

fs::path node_executable() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path beside = self.parent_path() / "failsim-node";
  if (error || ::access(beside.c_str(), X_OK) != 0) {
    fail(Code::kNotFound,
         "The program failsim-node is missing: it belongs in " + beside.string() + ".",
         "Build or install both programs in one directory.");
  }
  return beside;
}

void check_birth(const ClusterDirectory& directory, const BirthOptions& options) {
  for (const std::string& text : options.properties) parse_property(text);
  node_executable();
  std::error_code error;
  if (fs::exists(marker(directory), error)) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory.path(), error)) {
    const fs::path name = entry.path().filename();
    if (name == "lock" || name == "supervisor.log") continue;
    fail(Code::kAlreadyExists,
         "The directory " + directory.path().string() + " is not empty and holds no cluster.",
         "Choose an empty directory with --dir.");
  }
}

ClusterDescription create_cluster(const ClusterDirectory& directory, const BirthOptions& options) {
  check_birth(directory, options);
  clear_unfinished(directory);
  std::vector<pb::Bootstrap::Property> properties;
  for (const std::string& text : options.properties) properties.push_back(parse_property(text));
  ClusterDescription description{options.name, "", options.nodes, options.node_memory_bytes, 0};
  description.subnet = free_subnet(directory, description);

  replace_file(marker(directory), "");
  std::string bootstrap;
  const auto status = google::protobuf::util::MessageToJsonString(
      bootstrap_of(description, properties), &bootstrap);
  if (!status.ok()) fail(Code::kInvalidData, "The bootstrap cannot be written as JSON.", "");
  replace_file(directory.bootstrap_file(), bootstrap + "\n");
  replace_file(directory.token_file(), random_hex(32) + "\n", 0600);
  format_stores(directory, description);
  directory.write_description(description);
  remove_file(marker(directory));
  return description;
}

}  // namespace failsim::cli
