// The directory of a cluster: what lies where, and who runs.
//
//   cluster.json     name, subnet, nodes, node_memory_bytes, record_limit_bytes: written last when
//                    a cluster is created
//   bootstrap.json   what every store was formatted with
//   token            of the nodes' HTTP interface, mode 0600
//   endpoints.json   there while the cluster is ready: addresses, ports and process ids
//   processes.json   there while a supervisor runs: every process by id and start time
//   lock             held by the supervisor as long as it lives
//   control.sock     where the supervisor takes commands
//   observed-*.fsobs what the supervisor noted, if the cluster is recorded; the same in volume/
//   node-K/          store, node.log, run.json and recordings (*.fsrec, *.fsobs) of a node
//   volume/          the shared volume
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/failsim/files.h"
#include "tools/failsim/json.h"
#include "tools/failsim/process.h"

namespace failsim::cli {

inline constexpr std::uint16_t kPeerPort = 3343;
inline constexpr std::uint16_t kMigrationPort = 6600;
inline constexpr std::uint16_t kApiPort = 7080;
inline constexpr std::uint16_t kVolumePort = 3260;
inline constexpr std::uint32_t kMaximumNodes = 64;
inline constexpr std::uint64_t kDefaultNodeMemory = std::uint64_t{4} << 30;

struct ClusterDescription {
  std::string name;
  std::string subnet;  // "127.X.Y"
  std::uint32_t nodes = 0;
  std::uint64_t node_memory_bytes = 0;
  std::uint64_t record_limit_bytes = 0;  // of a recording; 0 = the nodes are not recorded

  std::string node_address(std::uint32_t node) const;
  std::string volume_address() const { return subnet + ".254"; }
  // The number of "node-K" if the cluster has it.
  std::optional<std::uint32_t> node_named(const std::string& name) const;
};

// A child of the supervisor: "node-K" or "volume".
struct RunningChild {
  std::string name;
  ProcessMark process;
  std::uint32_t instance = 0;  // of a node
};

struct RunningProcesses {
  ProcessMark supervisor;
  std::vector<RunningChild> children;

  const RunningChild* find(const std::string& name) const;
};

class ClusterDirectory {
 public:
  explicit ClusterDirectory(fs::path path) : path_(std::move(path)) {}

  const fs::path& path() const { return path_; }
  fs::path cluster_file() const { return path_ / "cluster.json"; }
  fs::path bootstrap_file() const { return path_ / "bootstrap.json"; }
  fs::path token_file() const { return path_ / "token"; }
  fs::path endpoints_file() const { return path_ / "endpoints.json"; }
  fs::path processes_file() const { return path_ / "processes.json"; }
  fs::path lock_file() const { return path_ / "lock"; }
  fs::path supervisor_log() const { return path_ / "supervisor.log"; }
  fs::path volume() const { return path_ / "volume"; }
  fs::path volume_log() const { return volume() / "volume.log"; }
  fs::path node(std::uint32_t node) const { return path_ / ("node-" + std::to_string(node)); }
  fs::path node_log(std::uint32_t number) const { return node(number) / "node.log"; }

  // Nothing if there is no cluster; a damaged file is a Failure.
  std::optional<ClusterDescription> description() const;
  void write_description(const ClusterDescription& description) const;

  // What was noted last; nothing if no supervisor runs or ended without clearing up.
  std::optional<RunningProcesses> processes() const;
  void write_processes(const RunningProcesses& processes) const;
  // The same, if the supervisor is alive.
  std::optional<RunningProcesses> supervised() const;

  std::string token() const;

 private:
  fs::path path_;
};

// What endpoints.json holds, from the processes that are alive.
json::object endpoints_of(const ClusterDirectory& directory, const ClusterDescription& description,
                          const RunningProcesses& processes);

}  // namespace failsim::cli
