// The cluster of processes that a scenario plays on: how it comes to life, and whether it is whole
// again at the end.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "tools/failsim/fault_injector.h"
#include "tools/failsim/process_watch.h"
#include "tools/failsim/seen_facts.h"
#include "tools/scenario/judge.h"

namespace failsim::cli {

// Starts the cluster in the directory, open to faults, with a network namespace for each process if
// `netns`. It ends with the calling process at the latest. A Failure if it does not come up.
ClusterDescription launch_stage(const scenario::Scenario& scenario,
                                const ClusterDirectory& directory, bool netns);

class ProcessStage {
 public:
  // Looks again and again until the condition holds; false if it does not within the time.
  using Wait = std::function<bool(const std::function<bool()>&, Duration at_most)>;

  // What it does to processes is told as facts.
  ProcessStage(const scenario::Scenario& scenario, Client& client, const ProcessWatch& watch,
               SeenFacts& facts, Wait wait)
      : scenario_(scenario),
        client_(client),
        watch_(watch),
        facts_(facts),
        wait_(std::move(wait)) {}

  // The wanted node leads and every VM is as it should be; or why not.
  std::optional<scenario::Complaint> prepare();
  // Everything is healed and every process started, but for what stays broken; then, within
  // the scenario's time, the cluster is whole. `should_run`: the VMs, by name, if that is known.
  std::optional<scenario::Complaint> recover(FaultInjector& injector,
                                             const std::map<std::string, bool>& should_run);

 private:
  std::optional<scenario::Complaint> settle_leader();
  std::optional<scenario::Complaint> wait_until_whole();
  std::optional<scenario::Complaint> create(const scenario::Vm& vm, int attempts);
  bool is_left_broken(const std::string& node) const;
  void heal(FaultInjector& injector);
  void start_ended_nodes();
  std::optional<scenario::Complaint> missing(const std::map<std::string, bool>& should_run);
  std::optional<scenario::Complaint> missing_vm(const Sight& sight, const json::object& vm,
                                                const std::map<std::string, bool>& should_run);

  const scenario::Scenario& scenario_;
  Client& client_;
  const ProcessWatch& watch_;
  SeenFacts& facts_;
  const Wait wait_;
};

}  // namespace failsim::cli
