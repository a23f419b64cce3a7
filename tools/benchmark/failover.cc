// From kill -9 of a VM's owner to the VM running on another node.
#include <csignal>

#include "tools/benchmark/bench.h"
#include "tools/benchmark/event_follower.h"
#include "tools/benchmark/statistics.h"
#include "tools/benchmark/test_cluster.h"
#include "tools/failsim/errors.h"

namespace failsim::bench {
namespace {

constexpr std::uint32_t kRuns = 5;
constexpr std::uint64_t kVmRunning = 5;  // VMVMState
constexpr std::chrono::milliseconds kLimit{60'000};
constexpr char kVm[] = "mail";

struct Case {
  std::string name;
  bool owner_leads = false;
  bool reaped = true;                 // the launcher tells the cluster that the process is dead
  std::vector<double> detections_ms;  // from the kill to the cluster's word that the node is Down
  std::vector<double> outages_ms;     // and to the VM running
};

std::string whole(double number) {
  return std::to_string(static_cast<int>(number));
}

// A supervisor that is stopped reaps nothing and so reports nothing: what is left is silence.
class SilentSupervisor {
 public:
  SilentSupervisor(const TestCluster& cluster, bool silent) {
    const auto running = cluster.directory().processes();
    if (!silent || !running) return;
    supervisor_ = running->supervisor;
    cli::send_signal(*supervisor_, SIGSTOP);
  }
  ~SilentSupervisor() {
    if (supervisor_) cli::send_signal(*supervisor_, SIGCONT);
  }
  SilentSupervisor(const SilentSupervisor&) = delete;
  SilentSupervisor& operator=(const SilentSupervisor&) = delete;

 private:
  std::optional<cli::ProcessMark> supervisor_;
};

// Moves the VM if it has to.
std::string owner_for(const TestCluster& cluster, bool owner_leads) {
  const std::string leader = cluster.leader();
  const std::string owner = cli::text_in(cluster.vm(kVm), "owner_node");
  if ((owner == leader) == owner_leads) return owner;
  const std::string next = owner_leads ? leader : cluster.other_node_than(leader);
  cluster.verb({"migrate", kVm, "--to", next});
  return next;
}

void run_case(const TestCluster& cluster, Case& measured) {
  const std::string owner = owner_for(cluster, measured.owner_leads);
  EventFollower events(cluster.new_client());
  events.take_new();
  double killed_at = 0;
  double down_at = 0;
  std::optional<json::object> running;
  const auto runs_elsewhere = [&](const json::object& event) {
    const std::string kind = cli::text_in(event, "kind");
    if (kind == "node-state" && cli::text_in(event, "node") == owner && down_at == 0) {
      down_at = event_time_ms(event);
    }
    return kind == "vm-state" && cli::text_in(event, "vm") == kVm &&
           cli::enum_value_in(event, "to") == kVmRunning && cli::text_in(event, "node") != owner;
  };
  {
    const SilentSupervisor silence(cluster, !measured.reaped);
    killed_at = wall_time_ms();
    cluster.kill_node(owner);
    running = events.wait_for(runs_elsewhere, kLimit);
  }
  if (!running) {
    cli::fail(Code::kTimeout, std::string(kVm) + " did not run again after kill -9 of " + owner,
              "");
  }
  cluster.start_node(owner);
  measured.detections_ms.push_back(down_at - killed_at);
  measured.outages_ms.push_back(event_time_ms(*running) - killed_at);
}

}  // namespace

void bench_failover(const Options& options, Report& report) {
  const TestCluster cluster;
  cluster.verb({"vm", "create", kVm, "--memory", "64MiB", "--start"});
  std::vector<Case> cases = {{"the launcher reaps the owner", false, true, {}, {}},
                             {"the launcher reaps the owner, which leads", true, true, {}, {}},
                             {"the owner is silent", false, false, {}, {}}};
  for (std::uint32_t run = 0; run < options.count.value_or(kRuns); ++run) {
    for (Case& measured : cases) {
      run_case(cluster, measured);
      report.say(measured.name + ": Down after " + whole(measured.detections_ms.back()) +
                 " ms, running after " + whole(measured.outages_ms.back()) + " ms");
    }
  }
  const Peer detection{"detection", kDetectionMs};
  for (const Case& measured : cases) {
    report.add(measured.name, "down_p50", median(measured.detections_ms), "ms", detection);
    report.add(measured.name, "outage_p50", median(measured.outages_ms), "ms", detection);
    report.add(measured.name, "outage_max", maximum(measured.outages_ms), "ms", detection);
  }
}

}  // namespace failsim::bench
