// Creating a cluster: its addresses, its bootstrap, its token and the store of every node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/failsim/directory.h"

namespace failsim::cli {

struct BirthOptions {
  std::string name;
  std::uint32_t nodes = 3;
  std::uint64_t node_memory_bytes = kDefaultNodeMemory;
  std::vector<std::string> properties;  // NAME=VALUE of the cluster
};

// A Failure unless every property is known and in its range, and the directory is one that a
// cluster may be created in: missing, empty, or holding a birth that was interrupted. Writes
// nothing.
void check_birth(const ClusterDirectory& directory, const BirthOptions& options);

// Creates the cluster; a birth that was interrupted is begun anew. The directory exists.
ClusterDescription create_cluster(const ClusterDirectory& directory, const BirthOptions& options);

// The first address and port of the cluster that something else uses, as "127.X.Y.1 port 7080";
// nothing if all are free.
std::optional<std::string> port_in_use(const ClusterDescription& description);

// The failsim-node that lies beside this executable.
fs::path node_executable();

}  // namespace failsim::cli
