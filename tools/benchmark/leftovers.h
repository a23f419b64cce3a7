// What a node process holds when nothing is going on, read from /proc and its directory: after
// every migration, however it ended, it has to be what it was before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "tools/failsim/client.h"
#include "tools/failsim/directory.h"

namespace failsim::bench {

struct Footprint {
  std::size_t threads = 0;  // guests share one
  std::size_t descriptors = 0;
  std::size_t data_connections = 0;  // of migrations, open at this side
  std::set<std::string> files;       // in the node's directory, by kind: numbers are left out
  std::uint64_t memory_in_use = 0;   // of the node's memory, as the cluster counts it ...
  std::uint64_t memory_of_vms = 0;   // ... and of the VMs that it owns
};

// Of a node that runs; a cli::Failure if it does not.
Footprint footprint_of(const cli::ClusterDirectory& cluster, cli::Client& client,
                       const std::string& node);

// What `now` has more than `before`, as a sentence about the node; empty if nothing. A few
// descriptors come and go with clients and with the files of the store.
std::string left_behind(const std::string& node, const Footprint& before, const Footprint& now);

}  // namespace failsim::bench
