// What every verb is given: the global options, the chosen cluster, and a voice.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "tools/failsim/client.h"
#include "tools/failsim/directory.h"
#include "tools/failsim/output.h"

namespace failsim::cli {

struct GlobalOptions {
  std::string directory;  // --dir, or empty
  std::string cluster;    // --cluster or FAILSIM_CLUSTER, or empty
  bool json = false;      // --output json
  std::chrono::milliseconds time_limit{30'000};
};

class Context {
 public:
  explicit Context(const GlobalOptions& options) : options_(options), output_(options.json) {}

  const GlobalOptions& options() const { return options_; }
  Output& output() { return output_; }
  bool json() const { return options_.json; }

  // The cluster meant by --dir, --cluster or FAILSIM_CLUSTER, else the only one running.
  ClusterDirectory directory() const;
  // The same with its description; a Failure if the directory holds no cluster.
  ClusterDescription description() const;
  Client& client();

 private:
  GlobalOptions options_;
  Output output_;
  std::optional<Client> client_;
};

// Where `up` keeps a cluster of this name unless --dir says otherwise.
fs::path default_directory(const std::string& cluster_name);

// Nothing but letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 64
// bytes; otherwise a usage error. `what` is "VM" or "cluster".
void check_name(const std::string& what, const std::string& name);
// The same, and no word of the command line: `migrate cancel` must not mean a VM.
void check_vm_name(const std::string& name);

}  // namespace failsim::cli
