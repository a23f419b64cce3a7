// The nodes of a cluster as processes, whether or not the cluster can say anything about them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "tools/failsim/directory.h"
#include "tools/failsim/json.h"

namespace failsim::cli {

// The number of "node-K"; a Failure (105) if the cluster has no such node.
std::uint32_t node_number(const ClusterDescription& description, const std::string& name);

// Sets "pid" of each node of an array, null where no process runs.
void add_process_ids(const ClusterDirectory& directory, json::value& nodes);

// A Failure if the node's directory is gone: an empty one would be another voter, not this node.
void check_node_directory(const ClusterDirectory& directory, std::uint32_t node);

// The process of the node if it is alive.
std::optional<ProcessMark> process_of_node(const ClusterDirectory& directory,
                                           const std::string& name);

// Sends the signal to the node's process and returns its id when the process is gone; a Failure if
// it does not run or does not end.
pid_t end_node(const ClusterDirectory& directory, const std::string& name, int signal);

// Starts the node's process again and returns its id when its interface answers, quorum or not.
pid_t start_node(const ClusterDirectory& directory, const ClusterDescription& description,
                 std::uint32_t node, std::chrono::milliseconds limit);

}  // namespace failsim::cli
