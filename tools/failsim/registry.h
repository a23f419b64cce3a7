// Which clusters run on this machine, as noted in the user's state directory.
//
// An entry is a file named after its cluster's directory. It names the supervisor by process id and
// start time, so an entry whose supervisor is gone is recognised, and removed, by whoever reads it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/failsim/files.h"
#include "tools/failsim/process.h"

namespace failsim::cli {

struct RunningCluster {
  std::string name;
  fs::path directory;  // absolute
  std::uint32_t nodes = 0;
  ProcessMark supervisor;
};

// $XDG_STATE_HOME/failsim, or .local/state/failsim under the home directory. Clusters without --dir
// live in it under their names.
fs::path state_directory();

class Registry {
 public:
  explicit Registry(const fs::path& state) : directory_(state / ".running") {}

  void note(const RunningCluster& cluster) const;
  void forget(const fs::path& cluster_directory) const;
  // Those whose supervisor is alive, by name; the other entries are removed.
  std::vector<RunningCluster> running() const;

 private:
  fs::path entry(const fs::path& cluster_directory) const;

  fs::path directory_;
};

// FNV-1a: a hash that is the same on every machine.
std::uint64_t stable_hash(const std::string& text);

}  // namespace failsim::cli
